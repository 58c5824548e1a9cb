/**
 * How a session begins and ends: `/?token=…`, as the start-up line and `image-transfer open` give it, or the login form. The token leaves the
 * address at once.
 *
 * @module
 */
import type { Context, Hono } from "hono";
import type { Try } from "./authentication.ts";
import { LOGIN_CSS, loginPage } from "./login_page.ts";
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
