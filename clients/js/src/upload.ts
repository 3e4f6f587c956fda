import { RequestFailed, isTransient, type UserError } from './errors.js';
import { backoff, wait } from './platform.js';

export interface UploadOptions {
  purpose?: 'POST' | 'AVATAR';
  /** A description for those who do not see the image; at most 500 characters. */
  altText?: string;
  /** The share of the bytes that has been sent, from 0 to 1. */
  onProgress?: (share: number) => void;
  signal?: AbortSignal;
}

/** The image was refused, with the business errors or the server's reason. */
export class UploadRefused extends Error {
  override readonly name = 'UploadRefused';
  constructor(
    readonly reason: string,
    readonly userErrors: readonly UserError[] = [],
  ) {
    super(userErrors[0]?.message ?? `the image was refused: ${reason}`);
  }
}

export interface UploadContext {
  /** The endpoint, which upload addresses are resolved against. */
  url: string;
  fetch: typeof fetch;
  mutate: (query: string, variables: unknown, signal?: AbortSignal) => Promise<unknown>;
  query: (query: string, variables: unknown, signal?: AbortSignal) => Promise<unknown>;
}

const CREATE = `mutation CreateImage($input: ImageCreateInput!) {
  imageCreate(input: $input) { image { id } uploadUrl userErrors { code message path } }
}`;
const STATUS = `query ImageStatus($id: ID!) {
  node(id: $id) { ... on Image { status rejection } }
}`;

const ATTEMPTS = 4;
const FIRST_POLL_MS = 200;
const LAST_POLL_MS = 2_000;

/**
 * Uploads an image: creates it, sends its bytes, and polls until it is READY. Resolves with its id.
 *
 * @throws UploadRefused when the image cannot be taken; RequestFailed when the server cannot be
 * reached; the signal's reason when it is aborted.
 */
export async function upload(
  context: UploadContext,
  bytes: Blob,
  options: UploadOptions = {},
): Promise<string> {
  const { purpose = 'POST', altText = '', onProgress = () => undefined, signal } = options;
  const input = { byteCount: bytes.size, purpose, altText };
  const created = (await context.mutate(CREATE, { input }, signal)) as {
    imageCreate: {
      image: { id: string } | null;
      uploadUrl: string | null;
      userErrors: UserError[];
    };
  };
  const { image, uploadUrl, userErrors } = created.imageCreate;
  if (!image || !uploadUrl) throw new UploadRefused('REFUSED', userErrors);
  const target = new URL(uploadUrl, context.url).href;
  for (let attempt = 1; ; attempt += 1) {
    const status = await put(context.fetch, target, bytes, onProgress, signal);
    if (status === 204) break;
    signal?.throwIfAborted();
    // The same bytes may be sent again, whatever became of the first ones.
    const again = status === 0 || status === 408 || status >= 500;
    if (!again) throw new UploadRefused(`status ${status}`);
    if (attempt === ATTEMPTS) throw new RequestFailed('the image could not be sent');
    await wait(backoff(attempt)).done;
  }
  onProgress(1);
  return untilReady(context, image.id, signal);
}

async function untilReady(
  { query }: UploadContext,
  id: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  for (let delay = FIRST_POLL_MS; ; delay = Math.min(delay * 1.5, LAST_POLL_MS)) {
    signal?.throwIfAborted();
    const { node } = (await query(STATUS, { id }, signal).catch((error: unknown) => {
      if (isTransient(error)) return { node: null };
      throw error;
    })) as { node: { status?: string; rejection?: string | null } | null };
    if (node?.status === 'READY') return id;
    if (node?.status === 'REJECTED') throw new UploadRefused(node.rejection ?? 'REJECTED');
    await wait(delay).done;
  }
}

/** The status, 0 when there was no response. */
function put(
  fetch: UploadContext['fetch'],
  url: string,
  bytes: Blob,
  onProgress: (share: number) => void,
  signal: AbortSignal | undefined,
): Promise<number> {
  if (typeof XMLHttpRequest !== 'undefined') return putByXhr(url, bytes, onProgress, signal);
  return putByFetch(fetch, url, bytes, onProgress, signal);
}

/** In a browser: its `fetch` does not report how much has been sent. */
function putByXhr(
  url: string,
  bytes: Blob,
  onProgress: (share: number) => void,
  signal: AbortSignal | undefined,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open('PUT', url);
    request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0);
    request.onload = () => resolve(request.status);
    request.onerror = () => resolve(0);
    request.onabort = () => reject(signal?.reason as Error);
    request.onloadend = () => signal?.removeEventListener('abort', abort);
    signal?.addEventListener('abort', abort);
    if (signal?.aborted) return reject(signal.reason as Error);
    request.send(bytes);
  });
}

async function putByFetch(
  fetch: UploadContext['fetch'],
  url: string,
  bytes: Blob,
  onProgress: (share: number) => void,
  signal: AbortSignal | undefined,
): Promise<number> {
  let sent = 0;
  const counting = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      sent += chunk.byteLength;
      onProgress(sent / bytes.size);
      controller.enqueue(chunk);
    },
  });
  const headers = { 'content-length': String(bytes.size) };
  const body = bytes.stream().pipeThrough(counting);
  // `duplex` is required with a stream, and missing from TypeScript's types.
  const init = { method: 'PUT', headers, body, duplex: 'half', signal: signal ?? null };
  try {
    const { status } = await fetch(url, init);
    return status;
  } catch (error) {
    if (signal?.aborted) throw error;
    return 0;
  }
}
