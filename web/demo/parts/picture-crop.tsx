import { useEffect, useRef, useState } from 'react';
import Cropper, { type Area } from 'react-easy-crop';
import 'react-easy-crop/react-easy-crop.css';
import { more } from '../words';
import '../style/crop.css';

export interface CropProps {
  file: File;
  /** With the part that was chosen, the file where it is no picture, or null for none. */
  done: (picture: File | null) => void;
}

/** As large as plaza keeps a picture of a person. */
const SIDE = 512;
const MOST_ZOOM = 4;
/** What an arrow key moves, in pixels. */
const STEP = 8;

/** The part of a picture that is seen of a person: moved by dragging or arrows, and zoomed. */
export function PictureCrop({ file, done }: CropProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [url, setUrl] = useState<string>();
  const [crop, setCrop] = useState({ x: 0, y: 0 });
  const [zoom, setZoom] = useState(1);
  const area = useRef<Area | null>(null);
  useEffect(() => {
    dialog.current?.showModal();
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  const take = async () => {
    if (!url || !area.current) return;
    // What cannot be cut is sent as it is: plaza says what is wrong with it, or cuts its middle.
    done((await cut(file, url, area.current).catch(() => null)) ?? file);
  };
  return (
    <dialog ref={dialog} className="sheet" aria-labelledby="crop" onClose={() => done(null)}>
      <h2 id="crop">{more.cropPicture}</h2>
      <p className="quiet">{more.cropHint}</p>
      <div className="crop">
        {url && (
          <Cropper
            image={url}
            crop={crop}
            zoom={zoom}
            maxZoom={MOST_ZOOM}
            aspect={1}
            cropShape="round"
            showGrid={false}
            keyboardStep={STEP}
            disableAutomaticStylesInjection
            onCropChange={setCrop}
            onZoomChange={setZoom}
            onCropAreaChange={(_share, pixels) => (area.current = pixels)}
            mediaProps={{ alt: '', onError: () => done(file) }}
            cropperProps={{ role: 'group', 'aria-label': more.cropPlace }}
          />
        )}
      </div>
      <label className="field">
        <span>{more.zoom}</span>
        <input
          type="range"
          min={1}
          max={MOST_ZOOM}
          step={0.1}
          value={zoom}
          onChange={({ target }) => setZoom(target.valueAsNumber)}
        />
      </label>
      <div className="buttons">
        <button type="button" className="button" onClick={() => void take()}>
          {more.takePicture}
        </button>
        <button
          type="button"
          className="button button-quiet"
          onClick={() => dialog.current?.close()}
        >
          {more.cancel}
        </button>
      </div>
    </dialog>
  );
}

/** A part of a picture, as a file; null where the browser cannot make one. */
async function cut(file: File, url: string, area: Area): Promise<File | null> {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement('canvas');
  const side = Math.min(SIDE, Math.round(area.width));
  canvas.width = side;
  canvas.height = side;
  const context = canvas.getContext('2d');
  if (!context) return null;
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, area.x, area.y, area.width, area.height, 0, 0, side, side);
  // What may be clear in places stays so.
  const type = file.type === 'image/jpeg' ? 'image/jpeg' : 'image/png';
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, type, 0.92));
  return blob && new File([blob], file.name, { type });
}
