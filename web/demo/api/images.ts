/** The kinds of images that plaza takes, for a field that chooses files. */
export const KINDS = 'image/jpeg,image/png,image/webp,image/gif';

/** Where an address of plaza's leads. */
export const resolved = (url: string) => new URL(url, location.origin).href;
