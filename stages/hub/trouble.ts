/** What a Hub's refusals mean, and what to do about them. */
import { StageError } from '../contract.ts';

interface Context {
  readonly token: string | undefined;
  readonly endpoint: string;
  /** The repository's page. */
  readonly page: string;
  /** Milliseconds that the server wants us to wait. */
  readonly wait?: number | null;
}

/** The Hub says in headers what it is about: GatedRepo, RepoNotFound, RevisionNotFound, EntryNotFound. */
export const refused = async (response: Response, context: Context): Promise<StageError> => {
  const { token, endpoint, page, wait } = context;
  const code = response.headers.get('x-error-code');
  const said = await words(response);
  const { status } = response;
  const tokens = `${endpoint}/settings/tokens`;
  const WITH_TOKEN = `make a token at ${tokens}, and name its environment variable: token: "\${env:HF_TOKEN}".`;
  if (code === 'GatedRepo' || /restricted|gated/i.test(said)) {
    return new StageError('hub-gated', `${page} is gated: its owner decides who may have it`, {
      advice:
        token === undefined
          ? `Ask for access on its page, in the browser, and accept its terms. Then ${WITH_TOKEN}`
          : `The token is known, but its account has no access: ask for it at ${page}. A fine-grained token also needs the permission to read gated repositories.`,
    });
  }
  if (status === 404 && code === 'RevisionNotFound')
    return new StageError('hub-revision', `${page} has no such revision`, {
      advice: 'A revision is a commit, a branch or a tag.',
    });
  if (status === 404 && code === 'EntryNotFound') return new StageError('hub-file', `${page} lacks a file: ${said}`);
  if (status === 404 || code === 'RepoNotFound')
    return new StageError('hub-not-found', `there is no ${page}, or it is private`, {
      advice:
        token === undefined
          ? `Look at its name: owner/name, capitals count. If it is private, ${WITH_TOKEN}`
          : "Look at its name: owner/name, capitals count. If it is private, the token's account must be allowed to read it.",
    });
  if (status === 401)
    return new StageError(
      'hub-token',
      token === undefined ? `${page} wants a token` : `${page} does not accept the token`,
      {
        advice:
          token === undefined
            ? `Perhaps it is private: ${WITH_TOKEN}`
            : `It may have been revoked, or have expired: look at ${tokens}.`,
      },
    );
  if (status === 403)
    return new StageError('hub-forbidden', `${page} is not to be read with this token: ${said}`, {
      advice: `Look at the token's permissions: ${tokens}.`,
    });
  if (status === 429)
    return new StageError('hub-rate-limit', `${endpoint} has had too many requests from here`, {
      advice: `${wait ? `Wait ${Math.ceil(wait / 60_000)} minutes` : 'Wait some minutes'} and build again: what has come is kept.${token === undefined ? ' With a token more requests are allowed.' : ''}`,
    });
  if (status >= 500)
    return new StageError('hub-unavailable', `${endpoint} is in trouble (status ${status}): ${said}`, {
      advice: 'Build again later: what has come is kept.',
    });
  return new StageError('hub-answer', `${page} answered with status ${status}: ${said}`);
};

const words = async (response: Response): Promise<string> => {
  const text = await response.text().catch(() => '');
  const header = response.headers.get('x-error-message');
  try {
    const { error, message } = JSON.parse(text) as { error?: unknown; message?: unknown };
    return shorten(header ?? String(error ?? message ?? response.statusText));
  } catch {
    return shorten(header ?? (/^\s*</.test(text) || text.trim() === '' ? response.statusText : text));
  }
};

const shorten = (text: string): string => (text.length > 200 ? `${text.slice(0, 199)}…` : text).trim();

export const unreachable = (error: unknown, { endpoint }: Context): StageError => {
  const { code, message } = ((error as { cause?: unknown }).cause ?? error) as { code?: string; message?: string };
  const isSilent =
    (error as { name?: string }).name === 'TimeoutError' || (error as { name?: string }).name === 'AbortError';
  const why = isSilent ? 'it does not answer' : (WHY[code ?? ''] ?? code ?? message ?? String(error));
  return new StageError('hub-unreachable', `${endpoint} cannot be reached: ${why}`, {
    advice: `Look at the network and at \`endpoint\`; without a network, name a local copy: path.${proxyAdvice(process.env)}`,
  });
};

/** Node goes through a proxy only when it is told to. */
const proxyAdvice = ({ HTTPS_PROXY, https_proxy, NODE_USE_ENV_PROXY }: NodeJS.ProcessEnv): string =>
  (HTTPS_PROXY || https_proxy) && !NODE_USE_ENV_PROXY
    ? ' HTTPS_PROXY is set: for Node to use it, set NODE_USE_ENV_PROXY=1, too.'
    : '';

const WHY: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'its name cannot be looked up',
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'it ended the connection',
  UND_ERR_SOCKET: 'it ended the connection',
  ETIMEDOUT: 'it does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  ERR_INVALID_URL: 'that is no URL',
};
