import { useId } from 'react';
import { fullTime, number } from './format';
import { more } from '../words';

export interface Bar {
  startsAt: string;
  value: number;
}

const [WIDTH, HEIGHT] = [600, 120];

/**
 * Bars over time, drawn by hand: an axis to the highest value, a first and a last moment are all
 * that such a picture needs to be read.
 */
export function Chart({
  title,
  bars,
  told = more.bar,
  shown = number,
}: {
  title: string;
  bars: readonly Bar[];
  /** A bar in words. */
  told?: (time: string, value: string) => string;
  shown?: (value: number) => string;
}) {
  const id = useId();
  const highest = Math.max(1, ...bars.map(({ value }) => value));
  // Even, so that half of it is a whole number: no two views and a half.
  const top = highest + (highest % 2);
  const sum = bars.reduce((sum, { value }) => sum + value, 0);
  const slot = WIDTH / Math.max(1, bars.length);
  const [first, last] = [bars[0], bars.at(-1)];
  return (
    <figure className="chart">
      <figcaption id={id}>
        <strong>{title}</strong>{' '}
        <span className="quiet">{sum === 0 ? more.noneInTime : more.atMost(shown(highest))}</span>
      </figcaption>
      <div className="chart-plot">
        {sum > 0 && (
          // Seen alone: what is read says the highest value, and each bar its own.
          <div className="chart-axis quiet" aria-hidden="true">
            <span>{shown(top)}</span>
            <span>{shown(top / 2)}</span>
          </div>
        )}
        <svg
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          preserveAspectRatio="none"
          role="img"
          aria-labelledby={id}
          data-sum={sum}
        >
          {sum > 0 &&
            [0.5, HEIGHT / 2].map((y) => (
              <line key={y} className="chart-line" x1="0" x2={WIDTH} y1={y} y2={y} />
            ))}
          <line className="chart-ground" x1="0" x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
          {bars.map(({ startsAt, value }, index) => {
            const height = (value / top) * HEIGHT;
            return (
              <rect
                key={startsAt}
                className="chart-bar"
                x={index * slot + slot * 0.1}
                width={slot * 0.8}
                y={HEIGHT - height}
                height={height}
              >
                <title>{told(fullTime(startsAt), shown(value))}</title>
              </rect>
            );
          })}
        </svg>
      </div>
      {first && last && (
        <p className="chart-ends quiet">
          <time dateTime={first.startsAt}>{fullTime(first.startsAt)}</time>
          <time dateTime={last.startsAt}>{fullTime(last.startsAt)}</time>
        </p>
      )}
    </figure>
  );
}
