/**
 * What `doctor` finds out about the page: whether it could be served at its address, with its certificate.
 *
 * @module
 */
import type { Settings, WebSettings } from "../../config/settings.ts";
import { failureRecord } from "../../domain/failure.ts";
import { faultOf } from "../../system/fault.ts";
import type { System } from "../../system/system.ts";
import { findDaemon } from "../../daemon/control/control_client.ts";
import { listenFailure, placeOf, readTls } from "../../web/server/listen_failure.ts";
import { fault, type Finding, HERE, ok, warning } from "./finding.ts";

/** Listens for a moment, as the daemon would; at any free port where the daemon itself has the configured one. */
export async function checkPage({ web, stateDirectory }: Settings, system: System, signal: AbortSignal): Promise<Finding[]> {
  if (web === null) return [];
  let url: string | null = null;
  try {
    url = (await findDaemon({ stateDirectory, system }, signal))?.url ?? null;
  } catch (error) {
    signal.throwIfAborted();
    const { message, hint } = failureRecord(error);
    return [warning(HERE, message, hint)];
  }
  try {
    await listenOnce(url === null ? web : { ...web, port: 0 }, system);
    return [ok(HERE, url === null ? `The page can be served at ${placeOf(web)}` : `The page is at ${url}`)];
  } catch (error) {
    const { message, hint } = listenFailure(web, error);
    const said = `Cannot show the page at ${placeOf(web)}: ${message}`;
    // A port may be free again by the time the daemon starts; the rest only a person can change.
    if (faultOf(error) === "busy") return [warning(HERE, said, `${hint} Delivery does not need the page.`)];
    return [{ ...fault(HERE, error), what: said, hint, code: "configuration" }];
  }
}

async function listenOnce(web: WebSettings, system: System): Promise<void> {
  const tls = await readTls(web, system);
  const end = new AbortController();
  const handler = () => new Response("", { status: 503 });
  const { finished } = await system.listen(
    { host: web.host, port: web.port, handler, ...(tls === null ? {} : { tls }) },
    end.signal,
  );
  end.abort();
  await finished;
}
