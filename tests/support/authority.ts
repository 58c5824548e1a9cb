/** A certificate authority of an observatory's own, and a TLS server with its certificates in front of a plain one. */
import type { TempFolder } from "./temp.ts";

export interface Authority {
  /** The file to trust. */
  readonly ca: string;
  /** A certificate for these names, as in `DNS:localhost,IP:127.0.0.1`; valid now, unless it ended yesterday. */
  issue(names: string, expired?: boolean): Promise<{ readonly cert: string; readonly key: string }>;
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
const DAY_MS = 86_400_000;

/** Makes one in the folder; needs openssl. */
export async function authority(folder: TempFolder, name: string): Promise<Authority> {
  const at = (file: string) => folder.at(`${name}-${file}`);
  const [ca, caKey] = [at("ca.pem"), at("ca-key.pem")];
  await openssl("req", "-x509", ...KEY, "-days", "2", "-subj", `/CN=${name}`, "-keyout", caKey, "-out", ca);
  await Deno.mkdir(at("issued"));
  await Deno.writeTextFile(at("index"), "");
  const places = `database=${at("index")}\nnew_certs_dir=${at("issued")}\nrand_serial=yes\nunique_subject=no`;
  const rules = `default_md=sha256\npolicy=policy\nx509_extensions=names\ncopy_extensions=none`;
  return {
    ca,
    async issue(names, expired = false) {
      const [request, cert, key, config] = [at("request.pem"), at("cert.pem"), at("key.pem"), at("openssl.conf")];
      await Deno.writeTextFile(
        config,
        `[ca]\ndefault_ca=own\n[own]\n${places}\n${rules}\n[policy]\ncommonName=supplied\n[names]\nsubjectAltName=${names}\n`,
      );
      await openssl("req", ...KEY, "-subj", "/CN=server", "-keyout", key, "-out", request);
      const ends = expired ? -DAY_MS : DAY_MS;
      const times = ["-startdate", dated(-2 * DAY_MS), "-enddate", dated(ends)];
      await openssl(
        "ca",
        "-batch",
        "-notext",
        "-config",
        config,
        "-cert",
        ca,
        "-keyfile",
        caKey,
        ...times,
        "-in",
        request,
        "-out",
        cert,
      );
      return { cert: await Deno.readTextFile(cert), key: await Deno.readTextFile(key) };
    },
  };
}

/** `20260115200000Z`, so long from now. */
function dated(fromNowMs: number): string {
  return `${new Date(Date.now() + fromNowMs).toISOString().replaceAll(/[-:T]|\..*/g, "")}Z`;
}

async function openssl(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, stdin: "null" }).output();
  if (!success) throw new Error(`openssl ${args[0]}: ${new TextDecoder().decode(stderr)}`);
}

/** TLS with this certificate on a free port of loopback, in front of `port`. */
export function tlsFront(port: number, certificate: { readonly cert: string; readonly key: string }) {
  const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...certificate });
  const open = new Set<Deno.Conn>();
  const carrying = new Set<Promise<void>>();
  const carry = async (client: Deno.TlsConn) => {
    open.add(client);
    const server = await Deno.connect({ hostname: "127.0.0.1", port });
    open.add(server);
    await Promise.allSettled([client.readable.pipeTo(server.writable), server.readable.pipeTo(client.writable)]);
  };
  const accepting = (async () => {
    for (;;) {
      const client = await listener.accept().catch((error) => {
        // A client that refuses the certificate is no reason to end.
        if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return null;
        throw error;
      });
      if (client === null) return;
      const carried = carry(client).catch(() => {}).finally(() => carrying.delete(carried));
      carrying.add(carried);
    }
  })();
  return {
    port: (listener.addr as Deno.NetAddr).port,
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of open) {
        try {
          connection.close();
        } catch (error) {
          if (!(error instanceof Deno.errors.BadResource)) throw error;
        }
      }
      await accepting;
      await Promise.all(carrying);
    },
  };
}
