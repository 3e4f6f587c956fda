import { useEffect, useRef } from 'react';
import { resolved } from '../api/images';
import { Icon } from './icon';
import { more, w } from '../words';
import '../style/viewer.css';

interface Viewed {
  id: string;
  url: string | null;
  altText: string;
}

export interface ViewerProps {
  images: readonly Viewed[];
  at: number;
  move: (at: number | null) => void;
}

/** An image as large as the window, with its description; arrows go on, Escape closes. */
export function ImageViewer({ images, at, move }: ViewerProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  const image = images[at];
  const go = (by: number) => move((at + by + images.length) % images.length);
  return (
    <li className="viewer-place">
      <dialog
        ref={dialog}
        className="viewer"
        aria-label={w.imageOf(at + 1, images.length)}
        onClose={() => move(null)}
        onKeyDown={({ key }) => {
          if (images.length > 1 && key === 'ArrowRight') go(1);
          if (images.length > 1 && key === 'ArrowLeft') go(-1);
        }}
        onClick={({ target, currentTarget }) => target === currentTarget && dialog.current?.close()}
      >
        {image?.url && <img src={resolved(image.url)} alt={image.altText} />}
        {image?.altText && (
          // The image itself says it to who listens.
          <p className="viewer-words" aria-hidden="true">
            {image.altText}
          </p>
        )}
        <div className="viewer-ways">
          {images.length > 1 && (
            <button
              type="button"
              className="chip"
              aria-label={more.previousImage}
              onClick={() => go(-1)}
            >
              <Icon name="back" />
            </button>
          )}
          {images.length > 1 && (
            <span>
              {at + 1} / {images.length}
            </span>
          )}
          {images.length > 1 && (
            <button
              type="button"
              className="chip turned"
              aria-label={more.nextImage}
              onClick={() => go(1)}
            >
              <Icon name="back" />
            </button>
          )}
          <button
            type="button"
            className="chip"
            aria-label={w.close}
            onClick={() => dialog.current?.close()}
          >
            <Icon name="close" />
          </button>
        </div>
      </dialog>
    </li>
  );
}
