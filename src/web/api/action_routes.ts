/** What a page may have done, by POST with a JSON body only, which no foreign page can send. */
import type { Context, Hono } from "hono";
import { Failure } from "../../domain/failure.ts";
import { type Action, PAGE_ACTIONS } from "../../reports/actions.ts";
import type { PageSource } from "../../reports/page_source.ts";
import { refusal, type WebEnv } from "../server/refusal.ts";

/** Adds a route for each of `PAGE_ACTIONS`; who may ask is decided before. */
export function actionRoutes(app: Hono<WebEnv>, source: PageSource): void {
  const actions: Readonly<Record<string, Action<PageSource>>> = PAGE_ACTIONS;
  for (const [name, { ask, act }] of Object.entries(actions)) {
    app.post(`/api/${name}`, async (c) => {
      if (!/^application\/json\s*(;|$)/i.test(c.req.header("content-type") ?? "")) {
        return refusal(c, 415, "configuration", "The content type must be application/json");
      }
      const asked = ask.safeParse(await jsonOf(c));
      if (asked.success) return c.json(await act(source, asked.data));
      const [issue] = asked.error.issues;
      return refusal(c, 400, "configuration", `Invalid request: ${issue?.message ?? "the body has the wrong format"}`);
    });
    app.all(`/api/${name}`, (c) => {
      c.header("allow", "POST");
      return refusal(c, 405, "configuration", "This address accepts only POST");
    });
  }
}

async function jsonOf(c: Context): Promise<unknown> {
  try {
    return JSON.parse(await c.req.text());
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw new Failure("interrupted", "The connection was lost before the request was complete", { cause });
  }
}
