import '@fontsource-variable/figtree';
import './style/base.css';
import './style/layout.css';
import './style/parts.css';
import './style/states.css';
import './style/pages.css';
import './style/more.css';

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createPlaza } from '../shared/plaza';
import { reportOutcomes } from './api/waiting';
import { App } from './app';
import { keepWithoutNetwork } from './live/worker';
import { chosenLanguage, show, useLanguage } from './words';

const plaza = createPlaza('plaza.demo');
reportOutcomes(plaza);
keepWithoutNetwork();

const root = document.getElementById('root');
if (!root) throw new Error('the page has no #root');
const shown = createRoot(root);

function Demo() {
  // Another language's words are everywhere: all is drawn anew.
  return <App key={useLanguage()} plaza={plaza} />;
}

function start(): void {
  shown.render(
    <StrictMode>
      <Demo />
    </StrictMode>,
  );
}

// English is here already, so it is shown where another language cannot be had.
void show(chosenLanguage()).then(start, start);
