/**
 * What a page may do: retry, pause, resume, scan, here and on other computers of the fleet, and check. By POST with a JSON body only, which no foreign page can send.
 *
 * @module
 */
import type { Context, Hono } from "hono";
import * as z from "zod";
import { Failure } from "../../domain/failure.ts";
import type { PageSource } from "../../reports/page_source.ts";
import { refusal, type WebEnv } from "../server/refusal.ts";

const name = z.string().min(1).max(500);
/** As many ids of nine digits fit into the body that `web_app.ts` lets in. */
export const MOST_IDS = 50_000;
const retrying = z.strictObject({
  ids: z.array(z.int().positive()).max(MOST_IDS, `at most ${MOST_IDS} ids are allowed at once`).nullable(),
});
const placing = z.strictObject({ destination: name.nullable() });
const commanding = z.strictObject({
  computer: name,
  action: z.enum(["pause", "resume", "retry", "scan"]),
  argument: z.string().max(200),
});
const scanning = z.strictObject({ job: name.optional() });

/** Adds the POST routes of `Actions` in `api_types.ts`; who may ask is decided before. */
export function actionRoutes(app: Hono<WebEnv>, source: PageSource): void {
  action("/api/retry", retrying, ({ ids }) => ({ count: source.retry(ids) }));
  action("/api/pause", placing, ({ destination }) => ({ destinations: source.pause(destination, "the web page") }));
  // Never that another disk is the right one: too much for a button that says "try again".
  action("/api/resume", placing, async ({ destination }) => {
    const { names, retrying } = await source.resume(destination);
    return { destinations: names, retrying };
  });
  action("/api/accept-removed", z.strictObject({ job: name }), async ({ job }) => ({ jobs: await source.acceptRemoved(job) }));
  action("/api/fleet/command", commanding, (command) => source.others.send(command));
  action("/api/doctor", z.strictObject({}), async () => {
    if (source.check === null) {
      throw new Failure("configuration", "This daemon cannot run the checks", { hint: "Run: image-transfer doctor" });
    }
    return { findings: await source.check() };
  });
  action("/api/scan", scanning, async ({ job }) => ({ jobs: await source.sync(job) }));

  function action<T>(path: string, schema: z.ZodType<T>, act: (body: T) => object | Promise<object>): void {
    app.post(path, async (c) => {
      if (!/^application\/json\s*(;|$)/i.test(c.req.header("content-type") ?? "")) {
        return refusal(c, 415, "configuration", "The content type must be application/json");
      }
      const body = schema.safeParse(await jsonOf(c));
      if (!body.success) {
        const [issue] = body.error.issues;
        return refusal(
          c,
          400,
          "configuration",
          `Invalid request: ${issue?.message ?? "the body has the wrong format"}`,
        );
      }
      return c.json(await act(body.data));
    });
    app.all(path, (c) => {
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
