/**
 * The page itself, and the files it is made of. Names are looked up in a fixed list; no path of a request reaches the disk.
 *
 * @module
 */
import type { Context, Hono } from "hono";
import type { Try } from "../auth/authentication.ts";
import { loginPage } from "../auth/login_page.ts";
import type { PageFiles } from "./page_files.ts";
import type { WebEnv } from "./refusal.ts";

/** Adds the routes; who is not known gets the login form with 401 in place of the page. */
export function pageRoutes(app: Hono<WebEnv>, files: PageFiles, knows: (c: Context<WebEnv>) => Try): void {
  app.get("/", async (c) => {
    if (!knows(c).in) return c.html(loginPage(), 401);
    return await send(c, "index.html") ?? c.notFound();
  });
  // Nothing in them is secret.
  app.get("/assets/:name", async (c) => await send(c, c.req.param("name")) ?? c.notFound());
  app.get("/favicon.ico", async (c) => await send(c, "icon.svg") ?? c.notFound());

  async function send(c: Context<WebEnv>, name: string): Promise<Response | null> {
    const file = await files(name);
    if (file === null) return null;
    const headers = { etag: file.tag, "cache-control": "no-cache" };
    // Compressed on its way, the tag was made a weak one.
    const known = (c.req.header("if-none-match") ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
    if (known.includes(file.tag)) return c.body(null, 304, headers);
    return c.body(file.text, 200, { ...headers, "content-type": file.type });
  }
}
