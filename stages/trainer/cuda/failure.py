"""Expected trouble: a value of the contract's `error` event; anything else that is raised is a bug."""


class Failure(Exception):
    def __init__(self, reason: str, message: str, advice: str | None = None):
        super().__init__(message)
        self.reason = reason
        self.advice = advice


class Interrupted(Exception):
    """Raised at a safe point once someone asked to stop."""
