/** Expected trouble with one conversation: its message is the reject's reason and names the field. */
export class RowError extends Error {}
