export interface MongoServer {
  readonly port: number;
  readonly folder: string;
  readonly url: string;
  readonly pid: number | undefined;
  start(): Promise<void>;
  end(signal?: NodeJS.Signals): Promise<void>;
  stop(): Promise<void>;
}

export function findServer(say?: (text: string) => void): string[] | undefined;
export function startServer(command: string[]): Promise<MongoServer>;
