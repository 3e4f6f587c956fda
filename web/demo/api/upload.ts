import type { Client } from 'urql';
import { newKey } from '../../shared/idempotency';
import { graphql } from '../../shared/graphql';
import { resolved } from './images';
import { explain } from './problem';

const Announce = graphql(`
  mutation AnnounceImage($byteCount: Int!, $purpose: ImagePurpose!) {
    imageCreate(input: { byteCount: $byteCount, purpose: $purpose }) { image { id } uploadUrl userErrors { message } }
  }
`);

const HowFar = graphql(`
  query HowFarIsTheImage($id: ID!) { node(id: $id) { __typename id ... on Image { status rejection } } }
`);

/** What plaza takes; it looks at the bytes, this only keeps people from waiting for a refusal. */
const MAX_BYTES = 10 * 1_024 * 1_024;

const REASONS = {
  UNSUPPORTED_FORMAT: 'This is no JPEG, PNG, WebP or GIF.',
  UNREADABLE: 'This image is broken.',
  TOO_MANY_PIXELS: 'This image has too many pixels.',
  ANIMATED: 'Moving images are not taken.',
} as const;

const ATTEMPTS = 3;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Takes an image to plaza: announces it, sends its bytes, and waits until plaza has looked at them. The id of an image that can be shown; why not, as
 * an `Error` in words for people.
 */
export async function uploadImage(
  client: Client,
  file: File,
  purpose: 'POST' | 'AVATAR',
  sent: (share: number) => void,
  signal: AbortSignal,
): Promise<string> {
  if (file.size === 0 || file.size > MAX_BYTES) throw new Error('An image may have 10 MB.');
  const announced = await client
    .mutation(Announce, { byteCount: file.size, purpose }, { idempotencyKey: newKey() })
    .toPromise();
  if (announced.error) throw new Error(explain(announced.error));
  const { image, uploadUrl, userErrors } = announced.data?.imageCreate ?? {};
  if (!image || !uploadUrl)
    throw new Error(userErrors?.[0]?.message ?? 'This image was not taken.');
  for (let attempt = 1; ; attempt += 1) {
    const status = await put(resolved(uploadUrl), file, sent, signal);
    if (status === 204) break;
    // The same bytes may be sent again, whatever has become of the first ones.
    if (attempt === ATTEMPTS || (status >= 400 && status < 500))
      throw new Error('The image could not be sent.');
    await pause(500 * attempt);
  }
  for (let wait = 200; ; wait = Math.min(wait * 1.5, 2_000)) {
    signal.throwIfAborted();
    const { data, error } = await client
      .query(HowFar, { id: image.id }, { requestPolicy: 'network-only' })
      .toPromise();
    if (error) throw new Error(explain(error));
    const found = data?.node?.__typename === 'Image' ? data.node : null;
    if (found?.status === 'READY') return image.id;
    if (found?.status === 'REJECTED')
      throw new Error(found.rejection ? REASONS[found.rejection] : 'This image cannot be shown.');
    await pause(wait);
  }
}

/** Sends bytes and tells how far they are, which `fetch` does not; the status, 0 when there was no answer. */
function put(
  url: string,
  file: File,
  sent: (share: number) => void,
  signal: AbortSignal,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    const done = (settle: () => void) => () => {
      signal.removeEventListener('abort', stop);
      settle();
    };
    request.open('PUT', url);
    request.upload.onprogress = ({ loaded, total }) => sent(total > 0 ? loaded / total : 0);
    request.onload = done(() => resolve(request.status));
    request.onerror = done(() => resolve(0));
    request.onabort = done(() => reject(new DOMException('given up', 'AbortError')));
    signal.addEventListener('abort', stop);
    request.send(file);
  });
}
