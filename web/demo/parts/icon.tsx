/** What there is, by name. */
export const SHAPES = {
  home: 'M4 11.5 12 5l8 6.5V19a1 1 0 0 1-1 1h-4.5v-5.5h-5V20H5a1 1 0 0 1-1-1z',
  shop: 'M4.5 9.5 6 4.5h12l1.5 5a2.5 2.5 0 0 1-5 0 2.5 2.5 0 0 1-5 0 2.5 2.5 0 0 1-5 0zM6 12.5V19a1 1 0 0 0 1 1h10a1 1 0 0 0 1-1v-6.5',
  orders: 'M6 4h12v16l-3-2-3 2-3-2-3 2zM9.5 8.5h5M9.5 12.5h5',
  bell: 'M6.5 16V11a5.5 5.5 0 0 1 11 0v5l1.5 1.5H5zM10 20.2a2.2 2.2 0 0 0 4 0',
  person: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20a7.5 7.5 0 0 1 15 0',
  key: 'M14.5 4a5.5 5.5 0 1 1-3.6 9.6L9 15.5H7v2H5v2H3.5V17l6-6A5.5 5.5 0 0 1 14.5 4zM16 8.5v.01',
  heart: 'M12 19.5 5.2 13a4.4 4.4 0 0 1 6.2-6.2l.6.6.6-.6a4.4 4.4 0 0 1 6.2 6.2z',
  comment: 'M5 5h14a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1h-7l-4.5 4v-4H5a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1z',
  repost:
    'M6.5 17.5v-8a3 3 0 0 1 3-3h6M3.5 14.5l3 3 3-3M17.5 6.5v8a3 3 0 0 1-3 3h-6M20.5 9.5l-3-3-3 3',
  quote: 'M5 6h6v6a5 5 0 0 1-4 5M14 6h6v6a5 5 0 0 1-4 5M5 12h6M14 12h6',
  image:
    'M5 5h14a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1zM4.5 16.5 9 12l3.5 3.5L15 13l4.5 4.5M15.5 9.5v.01',
  smile: 'M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM8.5 14a4.2 4.2 0 0 0 7 0M9.2 9.8v.01M14.8 9.8v.01',
  search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l4.5 4.5',
  close: 'M6 6l12 12M18 6 6 18',
  back: 'M19 12H5.5M11.5 5.5 5 12l6.5 6.5',
  more: 'M6 12v.01M12 12v.01M18 12v.01',
  gear: 'M12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM12 3.5v2.2M12 18.3v2.2M3.5 12h2.2M18.3 12h2.2M6 6l1.6 1.6M16.4 16.4 18 18M6 18l1.6-1.6M16.4 7.6 18 6',
  up: 'M12 19V5.5M6 11l6-6 6 6',
  eye: 'M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 14.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z',
  eyeOff:
    'M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 14.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM4 4l16 16',
  chart: 'M4.5 20h15M7 16.5v-5M12 16.5v-10M17 16.5v-7',
} as const;

export type IconName = keyof typeof SHAPES;

/** A line drawing beside a word; it says nothing by itself. */
export function Icon({ name, filled = false }: { name: IconName; filled?: boolean }) {
  return (
    <svg
      className="icon"
      viewBox="0 0 24 24"
      fill={filled ? 'currentColor' : 'none'}
      aria-hidden="true"
    >
      <path d={SHAPES[name]} />
    </svg>
  );
}
