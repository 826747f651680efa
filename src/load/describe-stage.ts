/** Runs in a process of its own: imports a user's stage and says what it is. Its arguments: the module's URL, its name. */
import { stageModule } from '../stages.ts';
import { importUserModule } from '../user-module.ts';

const [, , module = '', name = ''] = process.argv;
const send = process.send!.bind(process);
// The channel is ours, and what the module leaves open must not keep this process.
Object.defineProperty(process, 'send', { value: undefined });
delete process.env.NODE_COMPILE_CACHE;
const say = (message: unknown): void => void send(message, () => process.exit());
try {
  const theirs = await importUserModule(module);
  const { adapt } = (await import(stageModule('transforms/user'))) as { adapt(module: unknown, name: string): unknown };
  adapt(theirs, name);
  const { kind, dear, options } = theirs;
  say({ says: { ...(kind === undefined ? {} : { kind }), ...(dear === true ? { dear } : {}) }, options });
} catch (error) {
  say({ mistake: String((error as Error).message ?? error).split('\n')[0] });
}
