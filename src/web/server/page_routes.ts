/**
 * The page itself, and the files it is made of. Names are looked up in a fixed list; no path of a request reaches the disk.
 *
 * @module
 */
import type { Context, Hono } from "hono";
import { etag } from "hono/etag";
import { loginPage } from "../auth/login_page.ts";
import type { PageFiles } from "./page_files.ts";
import type { WebEnv } from "./refusal.ts";

/** Adds the routes; without a session the login form is sent with 401 in place of the page. */
export function pageRoutes(app: Hono<WebEnv>, files: PageFiles): void {
  app.get("/", etag(), async (c) => {
    if (!c.env.auth.knows(c, c.env.peer).in) return c.html(loginPage(), 401);
    return await send(c, "index.html");
  });
  // Nothing in them is secret.
  app.get("/assets/:name", etag(), async (c) => await send(c, c.req.param("name")));
  app.get("/favicon.ico", etag(), async (c) => await send(c, "icon.svg"));

  async function send(c: Context<WebEnv>, name: string): Promise<Response> {
    const file = await files(name);
    return file === null ? c.notFound() : c.body(file.text, 200, { "cache-control": "no-cache", "content-type": file.type });
  }
}
