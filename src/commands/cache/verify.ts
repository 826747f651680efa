/** `finetune cache verify`: reads everything in the store; what is wrong is set aside. */
import { verify } from '../../../cache/verify.ts';
import type { ExitCode } from '../../command.ts';
import { sizeInWords } from '../../engine/store-size.ts';
import { thousands } from '../../views/numbers.ts';
import { print, printJson } from '../../views/print.ts';
import type { CacheCall } from '../cache.ts';

export const check = ({ store, flags }: CacheCall): ExitCode => {
  const { blobs, bytes, wrong } = verify(store);
  const code = wrong.length === 0 ? 0 : 1;
  if (flags.json) {
    printJson({ type: 'verify', ok: wrong.length === 0, blobs, bytes, wrong });
    return code;
  }
  for (const w of wrong) print(`wrong  ${w.digest.slice(0, 16)}  ${w.why}`);
  const verdict =
    wrong.length === 0
      ? 'all sound'
      : `${thousands(wrong.length)} wrong; set aside in ${store.folder}/quarantine, the next build makes what needs them again`;
  print(`${thousands(blobs)} blobs, ${sizeInWords(bytes)}: ${verdict}`);
  return code;
};
