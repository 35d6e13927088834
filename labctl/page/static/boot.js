// Begins the page. Browsers break off what they are loading when the machine's networks change (ERR_NETWORK_CHANGED), as
// they do whenever a lab comes or goes. Where a module is missing for that, all is asked for once more.

const TRIES = 5;
const WAIT = 500; // ms

import("page/main.js").catch((problem) => {
  const tries = (history.state?.tries ?? 0) + 1;
  if (tries > TRIES) throw problem;
  history.replaceState({ tries }, "");
  setTimeout(() => location.reload(), WAIT);
});
