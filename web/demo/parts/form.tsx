import { useId, useState, type InputHTMLAttributes, type ReactNode } from 'react';
import type { Problem } from '../api/problem';
import { more } from '../words';
import { Icon } from './icon';
import '../style/forms.css';

type Props = {
  label: string;
  hint?: string;
  problem: Problem | null;
  /** What stands at the end of the field, within its frame. */
  end?: ReactNode;
} & InputHTMLAttributes<HTMLInputElement>;

/** A field of a form, with what it takes or why it was refused below it. */
export function Field({ label, hint, problem, end, ...input }: Props) {
  const id = useId();
  const wrong = problem?.fields[input.name ?? ''];
  const said = wrong ?? hint;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <span className="field-line">
        <input
          id={id}
          required
          aria-invalid={wrong !== undefined}
          aria-describedby={said ? `${input.name}-said` : undefined}
          {...input}
        />
        {end}
      </span>
      {said && (
        <small id={`${input.name}-said`} className={wrong ? 'problem' : 'quiet'}>
          {said}
        </small>
      )}
    </div>
  );
}

/** A field for a password, which can be looked at: who sees what they type errs less. */
export function PasswordField(props: Omit<Props, 'type' | 'end'>) {
  const [shown, show] = useState(false);
  return (
    <Field
      {...props}
      type={shown ? 'text' : 'password'}
      autoCapitalize="none"
      spellCheck={false}
      end={
        <button
          type="button"
          className="chip field-end"
          aria-pressed={shown}
          onClick={() => show(!shown)}
        >
          <Icon name={shown ? 'eyeOff' : 'eye'} />
          <span className="hidden">{more.showPassword}</span>
        </button>
      }
    />
  );
}
