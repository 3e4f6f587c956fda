import { useEffect, useEffectEvent, useState, type ComponentType } from 'react';
import { toast } from '../live/toasts';
import { w, withMore } from '../words';

/**
 * A part that few visits need: it comes when it is shown first. Where it cannot be had (no network),
 * that is said, and what is there already stays.
 */
export function late<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
  failed?: (props: Props) => void,
): ComponentType<Props> {
  return function Late(props: Props) {
    const [Part, setPart] = useState<ComponentType<Props> | null>(null);
    const fail = useEffectEvent(() => {
      toast('failed', w.notLoadedShort);
      failed?.(props);
    });
    useEffect(() => {
      let wanted = true;
      withMore(load).then(
        (part) => wanted && setPart(() => part),
        () => wanted && fail(),
      );
      return () => {
        wanted = false;
      };
    }, []);
    return Part && <Part {...props} />;
  };
}
