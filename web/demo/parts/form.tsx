import type { InputHTMLAttributes } from 'react';
import type { Problem } from '../api/problem';
import '../style/forms.css';

type Props = {
  label: string;
  hint?: string;
  problem: Problem | null;
} & InputHTMLAttributes<HTMLInputElement>;

/** A field of a form, with what it takes or why it was refused below it. */
export function Field({ label, hint, problem, ...input }: Props) {
  const wrong = problem?.fields[input.name ?? ''];
  const said = wrong ?? hint;
  return (
    <label className="field">
      <span>{label}</span>
      <input
        required
        aria-invalid={wrong !== undefined}
        aria-describedby={said ? `${input.name}-said` : undefined}
        {...input}
      />
      {said && (
        <small id={`${input.name}-said`} className={wrong ? 'problem' : 'quiet'}>
          {said}
        </small>
      )}
    </label>
  );
}
