// Before anything is drawn: the theme that somebody chose here. Not chosen, the system's.
try {
  const chosen = localStorage.getItem('plaza.theme');
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is closed to this page: the system's theme it is.
}
