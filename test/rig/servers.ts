/**
 * Real servers: Redis and PostgreSQL by URL, and blobs over HTTP from a folder. `.ci/run` names the servers, and starts
 * them where none answer; elsewhere, without the usual ones on this machine, the tests that need them are skipped.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export const REDIS = process.env.FINETUNE_TEST_REDIS ?? 'redis://127.0.0.1:6379';
export const POSTGRES = process.env.FINETUNE_TEST_POSTGRES ?? 'postgres://postgres@127.0.0.1:5432/test';

const isUp = (url: string): Promise<boolean> => {
  const { hostname, port } = new URL(url);
  return new Promise(resolve => {
    const socket = connect({ host: hostname, port: Number(port), timeout: 1000 });
    const end = (up: boolean) => {
      socket.destroy();
      resolve(up);
    };
    socket
      .on('connect', () => end(true))
      .on('timeout', () => end(false))
      .on('error', () => end(false));
  });
};

/** A server that is named must be there. */
export const HAS_REDIS = process.env.FINETUNE_TEST_REDIS !== undefined || (await isUp(REDIS));
export const HAS_POSTGRES = process.env.FINETUNE_TEST_POSTGRES !== undefined || (await isUp(POSTGRES));

export interface BlobServer {
  readonly url: string;
  /** Paths asked for, in order. */
  readonly asked: readonly string[];
  /** Of the last request. */
  authorization(): string | undefined;
}

/** Serves the files of a folder, until the test ends; `status` answers everything so. */
export const serveBlobs = async (folder: string, status?: number): Promise<BlobServer> => {
  const asked: string[] = [];
  let authorization: string | undefined;
  const server: Server = createServer((request, response) => {
    asked.push(request.url!);
    authorization = request.headers.authorization;
    const path = join(folder, request.url!);
    if (status !== undefined || !existsSync(path)) response.writeHead(status ?? 404).end('no');
    else response.end(readFileSync(path));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    authorization: () => authorization,
  };
};

/** An address where nothing listens. */
export const nowhere = async (): Promise<number> => {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
};
