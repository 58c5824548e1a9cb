/**
 * What is shown to who has no session: how to get one, and a field for the token. Plain HTML, its style in a file of its own.
 *
 * @module
 */

/** The page; `problem` is shown above the field. */
export function loginPage(problem = ""): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>image-transfer: log in</title>
<link rel="stylesheet" href="/assets/login.css">
</head>
<body>
<main>
<h1>image-transfer</h1>
<p>This page shows and steers the daemon, so it wants to know that you may. On the computer where the daemon runs, this opens it:</p>
<pre>image-transfer open</pre>
<p>Or give the token, from the start-up line or the configuration:</p>
${problem === "" ? "" : `<p role="alert">${problem}</p>`}
<form method="post" action="/login">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Log in</button>
</form>
</main>
</body>
</html>
`;
}

export const LOGIN_CSS = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: Canvas; color: CanvasText; }
main { max-width: 28rem; padding: 1.5rem; }
h1 { font-size: 1.25rem; margin: 0 0 1rem; }
pre { padding: .6rem .8rem; border: 1px solid GrayText; border-radius: .4rem; overflow-x: auto; }
form { display: grid; gap: .5rem; }
input, button { font: inherit; padding: .5rem .7rem; border-radius: .4rem; border: 1px solid GrayText; }
button { cursor: pointer; background: CanvasText; color: Canvas; }
[role=alert] { color: #b3261e; font-weight: 600; }
@media (prefers-color-scheme: dark) { [role=alert] { color: #ff8a80; } }
`;
