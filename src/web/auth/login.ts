/**
 * How a session begins and ends: `/?token=…`, as the start-up line and `image-transfer open` give it, or the login form. The token
 * leaves the address at once.
 */
import type { Context, Hono } from "hono";
import type { Try } from "./authentication.ts";
import type { WebEnv } from "../server/refusal.ts";

/** Adds the routes that need no session. A right token is answered with the cookie and 303, a wrong one with 401 or 429. */
export function loginRoutes(app: Hono<WebEnv>): void {
  app.get("/", async (c, next) => {
    const token = c.req.query("token");
    if (token === undefined) return await next();
    return answer(c, await c.env.auth.login(token, c.env.peer, c.env.isOwnAccount));
  });
  app.get("/assets/login.css", (c) => c.body(LOGIN_CSS, 200, { "content-type": "text/css; charset=utf-8" }));
  app.post("/login", async (c) => {
    const type = c.req.header("content-type") ?? "";
    if (!type.startsWith("application/x-www-form-urlencoded")) {
      return c.html(loginPage("The request did not come from the login form. Enter the access token here."), 415);
    }
    const token = new URLSearchParams(await c.req.text()).get("token") ?? "";
    return answer(c, await c.env.auth.login(token.trim(), c.env.peer, c.env.isOwnAccount));
  });

  app.post("/logout", async (c) => {
    const everywhere = new URLSearchParams(await c.req.text()).has("everywhere");
    // Pages that still have a session connect again at once.
    if (c.env.auth.end(c, everywhere)) c.env.hub.dismiss(1012, "a session has ended");
    return c.redirect("/", 303);
  });

  function answer(c: Context<WebEnv>, tried: Try): Response {
    if (tried.in) {
      c.env.auth.begin(c);
      return c.redirect(c.req.query("wall") === undefined ? "/" : "/?wall", 303);
    }
    if (tried.waitMs === 0) {
      return c.html(loginPage("Wrong access token, or the link has already been used. Check the token and try again."), 401);
    }
    const seconds = Math.ceil(tried.waitMs / 1000);
    c.header("retry-after", String(seconds));
    return c.html(loginPage(`Too many wrong access tokens from this address. Try again in ${seconds} s.`), 429);
  }
}

/** The page; `problem` is shown above the field. */
export function loginPage(problem = ""): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="same-origin">
<title>image-transfer: log in</title>
<link rel="stylesheet" href="/assets/login.css">
</head>
<body>
<main>
<h1>image-transfer</h1>
<p>This page controls the daemon, so you must log in. On the computer where the daemon runs, this command opens the page and logs you in:</p>
<pre>image-transfer open</pre>
<p>Or enter the access token from the configuration (<code>web.token</code>) or from the address that the daemon prints when it starts:</p>
${problem === "" ? "" : `<p role="alert" id="problem">${problem}</p>`}
<form method="post" action="/login">
<label for="token">Access token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus${
    problem === "" ? "" : ' aria-invalid="true" aria-describedby="problem"'
  }>
<button>Log in</button>
</form>
</main>
</body>
</html>
`;
}

/** In the colours of the page: dim in the dark, no pure white. */
const LOGIN_CSS = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif;
  --bg: #f3efe8; --raised: #fffdfa; --line: #b9ad9d; --text: #241e18; --accent: #8a4716; --on-accent: #fff8f0; --bad: #a8261c; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--bg); color: var(--text); }
main { max-width: 28rem; padding: 1.5rem; }
h1 { font-size: 1.4rem; margin: 0 0 1rem; }
pre { padding: .7rem .9rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--raised); overflow-x: auto; user-select: all; }
form { display: grid; gap: .5rem; }
input, button { font: inherit; min-height: 2.6rem; padding: .4rem .8rem; border-radius: .5rem; border: 1px solid var(--line); background: var(--raised); color: inherit; }
button { cursor: pointer; background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
[role=alert] { color: var(--bad); font-weight: 600; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #0f0c0b; --raised: #221c19; --line: #5c4e45; --text: #d9c8b9; --accent: #dd9c5c; --on-accent: #1a110a; --bad: #f0796a; }
}
`;
