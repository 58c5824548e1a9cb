/** The part of the System around the program: HTTP, the terminal, signals and the service manager. */

export interface Listening {
  readonly host: string;
  /** The port in use, also if 0 was asked for. */
  readonly port: number;
  /** Resolves when the server has ended. */
  readonly finished: Promise<void>;
}

/** What is served, and where. */
export interface ListenOptions {
  /** An address of this computer, or a name that leads to one. */
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** `peer` is the address at the other end of the connection. */
  readonly handler: (request: Request, peer: { readonly host: string; readonly port: number }) => Response | Promise<Response>;
  /** Certificate chain and key in PEM; plain HTTP without. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Told what the handler threw (the client gets a 500 without details), and what kept a connection from being accepted. */
  readonly onError?: (error: unknown) => void;
}

/** A request to a server on this computer. */
export interface LocalQuestion {
  readonly method: "GET" | "HEAD" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** How much of the answer is read, and a little more; all of it unless told. */
  readonly mostCharacters?: number;
}

/** With any status; `text` is the body as UTF-8. */
export interface LocalAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** What any server is asked. */
export interface RemoteQuestion extends Omit<LocalQuestion, "path" | "mostCharacters"> {
  /** Certificates to trust besides those that this computer trusts, in PEM form. */
  readonly ca?: string;
  /** How much of the answer is read; 1 MiB unless told. */
  readonly mostCharacters?: number;
}

/** An answer whose body is read as it comes; leaving the loop over it closes the connection. */
export interface RemoteStream extends Omit<LocalAnswer, "text"> {
  readonly pieces: AsyncIterableIterator<string>;
}

/** HTTP to and from this process, and WebSockets (RFC 6455). */
export interface Serving {
  /** Serves HTTP until the signal is aborted. Throws (fault `busy`) when the port is taken. */
  listen(options: ListenOptions, signal: AbortSignal): Promise<Listening>;
  /** Asks 127.0.0.1, never through a proxy; redirects are not followed. Throws a TypeError if nothing answers, the signal's reason when aborted. */
  askLocal(port: number, question: LocalQuestion, signal: AbortSignal): Promise<LocalAnswer>;
  /** As `askLocal`, any server, through the proxy of the environment; reads a little more than `mostCharacters` of a longer answer. */
  askRemote(url: string, question: RemoteQuestion, signal: AbortSignal): Promise<LocalAnswer>;
  /** As `askRemote`, for an answer that goes on: its pieces are given as they come. */
  hearRemote(url: string, question: RemoteQuestion, signal: AbortSignal): Promise<RemoteStream>;
  /** True where the first certificate of this PEM text names the host. */
  certifies(cert: string, host: string): boolean;
  /** Turns a request into a WebSocket; the response must be returned from the handler. */
  upgradeWebSocket(request: Request): { socket: WebSocket; response: Response };
}

export type StandardStream = "stdin" | "stdout" | "stderr";

/** What a person at a terminal sees and types. */
export interface Terminal {
  isTerminal(stream: StandardStream): boolean;
  /** Width of the terminal behind stdout or stderr in columns; null where there is none. */
  columns(): number | null;
  /** Writes all of the text at once. A reader that is gone (`| head`) is not an error: false then. */
  print(stream: "stdout" | "stderr", text: string): boolean;
  /** One line typed at the terminal, without its end; null at the end of input. */
  readLine(): Promise<string | null>;
  /** Lends the terminal, and Ctrl+C, to a program, such as an editor, until it ends; its exit code. @throws {Failure} `tool_missing` */
  lend(program: string, args: readonly string[]): Promise<number>;
}

/** Signals a daemon reacts to; SIGBREAK is Windows' Ctrl+Break. */
export type SignalName = "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGBREAK" | "SIGUSR1" | "SIGUSR2";

/** Requests to end or reload this process, and reports to the service manager. */
export interface Lifetime {
  /** Calls the handler at these signals (those the system does not have are skipped), until the returned function is called. */
  onSignal(names: readonly SignalName[], handler: (name: SignalName) => void): () => void;
  /** Tells systemd (`READY=1`, `RELOADING=1`, `STOPPING=1`, `WATCHDOG=1`, `STATUS=…`); false if nobody listens. */
  notifyServiceManager(state: string): Promise<boolean>;
  /** From now on this process may not start these programs. Only in the compiled binary, which has a list of those that it may. */
  giveUp(programs: readonly string[]): void;
  /** Whether a program, by name or path, was given up. */
  gaveUp(program: string): boolean;
  /** Kills all children, then ends the process. */
  exit(code: number): never;
}

/** Held until it is disposed of, or the process ends. */
export interface Lock extends AsyncDisposable {
  /** Whether its file still has its name: otherwise it excludes nobody. True where that cannot be told. */
  isInPlace(): Promise<boolean>;
}
