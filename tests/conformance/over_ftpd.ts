/** What ftp and ftps run on: one private server for all checks of a candidate. */
import { ftp, ftps } from "../../src/methods/ftp/ftp.ts";
import type { MethodContext } from "../../src/methods/method.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { type Ftpd, type FtpdOptions, startFtpd } from "../support/ftpd.ts";
import type { FtpDestination } from "../../src/config/settings.ts";
import { aDestination, type Differences, diskView, type Mount, STAGING } from "./rig.ts";

/** Starts the server. */
export async function overFtpd(options: FtpdOptions = {}): Promise<Mount> {
  const server = await startFtpd(options);
  const system = createSystem();
  return {
    rig: ({ base, settings }, folder) => {
      const destination = anFtpServer(server, options.tls, { basePath: base ?? folder.at("base", "images"), ...settings });
      const context: MethodContext = { system, stagingRoot: STAGING, workFolder: folder.at("work"), log: () => {} };
      return Promise.resolve({
        method: options.tls ? ftps : ftp,
        destination,
        context,
        view: diskView(destination.basePath),
        bytesSent: null,
      });
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** A destination of the suite at a server. */
export function anFtpServer(server: Ftpd, tls: FtpdOptions["tls"], differences: Differences): FtpDestination {
  const login = { host: server.host, port: server.port, user: server.user, password: server.password, passwordFile: null };
  const transport = tls
    ? { method: "ftps" as const, ...login, tlsMode: tls, tlsCa: server.ca }
    : { method: "ftp" as const, ...login };
  return { ...aDestination(differences), transport };
}
