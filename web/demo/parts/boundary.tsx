import { Component, type ReactNode } from 'react';
import { w } from '../words';

/** A page that breaks leaves the way to the others. */
export class Boundary extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError() {
    return { broken: true };
  }

  override render() {
    if (!this.state.broken) return this.props.children;
    return (
      <div className="state state-failed" role="alert">
        <h1>{w.broken}</h1>
        <button type="button" className="button" onClick={() => location.reload()}>
          {w.loadAgain}
        </button>
      </div>
    );
  }
}
