import { useRef, useState } from 'react';
import { useClient } from 'urql';
import { graphql, readFragment, type FragmentOf } from '../../shared/graphql';
import { resolved } from '../api/images';
import type { ViewerProps } from './image-viewer';
import { late } from './late';
import { w } from '../words';

const ImageViewer = late<ViewerProps>(
  async () => (await import('./image-viewer')).ImageViewer,
  ({ move }) => move(null),
);

export const PostImagesFragment = graphql(`
  fragment PostImages on Post {
    id
    images { id altText width height color url small: url(size: SMALL) }
  }
`);

const Again = graphql(`query ImagesAgain($id: ID!) { post(id: $id) { id ...PostImages } }`, [
  PostImagesFragment,
]);

/**
 * A post's images. Their places have their size before they are there, so that nothing jumps: an image without a description has none itself until it is
 * loaded, whatever its attributes say.
 */
export function PostImages({ post: masked }: { post: FragmentOf<typeof PostImagesFragment> }) {
  const { id, images } = readFragment(PostImagesFragment, masked);
  const client = useClient();
  const [viewed, view] = useState<number | null>(null);
  const asked = useRef<string | null>(null);
  if (images.length === 0) return null;
  // An address ends after a while; a page that has been open for longer asks for the next one, once for each.
  const askAgain = (url: string | null) => {
    if (asked.current === url) return;
    asked.current = url;
    void client.query(Again, { id }, { requestPolicy: 'network-only' }).toPromise();
  };
  return (
    <ul className={`pictures pictures-${images.length}`}>
      {images.map((image, index) => (
        <li
          key={image.id}
          style={{
            background: image.color ?? undefined,
            aspectRatio:
              images.length === 1 ? `${image.width ?? 4} / ${image.height ?? 3}` : undefined,
          }}
        >
          {image.url && (
            <a
              href={resolved(image.url)}
              target="_blank"
              rel="noreferrer"
              aria-label={image.altText ? undefined : w.imageOf(index + 1, images.length)}
              onClick={(event) => {
                if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
                event.preventDefault();
                view(index);
              }}
            >
              <img
                src={resolved(image.url)}
                srcSet={
                  image.small && image.width && image.width > 320
                    ? `${resolved(image.small)} 320w, ${resolved(image.url)} ${image.width}w`
                    : undefined
                }
                sizes={
                  images.length > 1
                    ? '(min-width: 760px) 270px, 45vw'
                    : '(min-width: 760px) 540px, 85vw'
                }
                width={image.width ?? undefined}
                height={image.height ?? undefined}
                alt={image.altText}
                loading="lazy"
                decoding="async"
                onError={() => askAgain(image.url)}
              />
              {image.altText && (
                <span className="alt-badge" aria-hidden="true">
                  {w.altBadge}
                </span>
              )}
            </a>
          )}
        </li>
      ))}
      {viewed !== null && <ImageViewer images={images} at={viewed} move={view} />}
    </ul>
  );
}
