import { useEffect, useState, type ComponentType } from 'react';
import { toast } from '../live/toasts';

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
    useEffect(() => {
      let wanted = true;
      const give = (part: ComponentType<Props>) => wanted && setPart(() => part);
      const say = () => {
        if (!wanted) return;
        toast('failed', 'This could not be loaded.');
        failed?.(props);
      };
      load().then(give, say);
      return () => {
        wanted = false;
      };
    }, []);
    return Part && <Part {...props} />;
  };
}
