import { RequestFailed, UploadRefused, type PlazaClient } from '@plaza/client';
import { explainThrown, problemOfErrors } from './problem';
import { w } from '../words';

/** What plaza takes; it looks at the bytes, this only keeps people from waiting for a refusal. */
const MAX_BYTES = 10 * 1_024 * 1_024;

/** Takes an image to plaza. The id of an image that can be shown; why not, as an `Error` in words for people. */
export async function uploadImage(
  plaza: PlazaClient,
  file: File,
  purpose: 'POST' | 'AVATAR',
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<string> {
  if (file.size === 0 || file.size > MAX_BYTES) throw new Error(w.imageTooLarge);
  try {
    return await plaza.upload(file, { purpose, onProgress, signal });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof UploadRefused)) throw new Error(why(error));
    const { reason, userErrors } = error;
    const refused = userErrors.length > 0 ? problemOfErrors(userErrors).message : undefined;
    throw new Error(refused ?? w.imageRefused[reason] ?? w.imageNotSent);
  }
}

function why(error: unknown): string {
  return error instanceof RequestFailed && error.code ? explainThrown(error) : w.imageNotSent;
}
