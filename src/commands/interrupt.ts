/** What Ctrl-C, SIGTERM and SIGHUP do to a command that takes long. */

/**
 * The first signal ends the command's work in order; a second one ends the process. The handlers stay until the process
 * ends: a signal that comes while it closes must not turn its exit code into the signal's.
 */
export const onInterrupt = (stop: () => void): void => {
  let asked = false;
  const on = () => {
    if (asked) process.exit(130);
    asked = true;
    stop();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const s of signals) process.on(s, on);
};
