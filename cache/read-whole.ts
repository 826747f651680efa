/** The first `size` bytes of a file; fewer where it has become shorter meanwhile. */
import { disk } from './disk.ts';

export const readWhole = (path: string, size: number): Buffer => {
  const content = Buffer.allocUnsafe(size);
  const fd = disk.open(path, 'r');
  try {
    let done = 0;
    for (let n = 1; n > 0 && done < size; done += n) n = disk.read(fd, content, done, size - done, done);
    return content.subarray(0, done);
  } finally {
    disk.close(fd);
  }
};
