import { Fragment, type ReactNode } from 'react';

/** A message whose parts in square brackets lead somewhere, or are something else than words: each is made of what is in them. */
export function Filled({
  message,
  parts,
}: {
  message: string;
  parts: readonly ((words: string) => ReactNode)[];
}) {
  return message.split(/\[([^\]]*)\]/).map((piece, index) => {
    const made = index % 2 === 1 ? parts[(index - 1) / 2]?.(piece) : piece;
    return <Fragment key={index}>{made}</Fragment>;
  });
}
