/** The stage `command`: the same among sources and transforms. */
export { default } from '../command/command.ts';
