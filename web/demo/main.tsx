import '@fontsource-variable/figtree';
import './style/base.css';
import './style/layout.css';
import './style/parts.css';
import './style/states.css';
import './style/pages.css';
import './style/more.css';

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Session } from '../shared/session';
import { createSocket } from '../shared/socket';
import { App } from './app';

const session = new Session('plaza.demo');
const socket = createSocket(session);

const root = document.getElementById('root');
if (!root) throw new Error('the page has no #root');
createRoot(root).render(
  <StrictMode>
    <App session={session} socket={socket} />
  </StrictMode>,
);
