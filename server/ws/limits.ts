/** The bounds of the socket surface. Each has its reason in docs/PROTOCOL.md; tests pass shorter times. */
export interface Limits {
  /** A socket that has not signed in by then is closed. */
  readonly hello_ms: number;
  /** Sockets that have not signed in, at once: on this node, and of one address. */
  readonly unauthenticated: number;
  readonly unauthenticated_address: number;
  /** Runs followed at once on one socket. */
  readonly subscriptions: number;
  /** Commands under way at once on one socket. */
  readonly commands: number;
  /** Frames a client may send in a second; above it is a flood. */
  readonly frames_second: number;
  /** Frames in a row that could not be understood. */
  readonly bad_frames: number;
  /** Above this much unsent, a socket's runs are not read further: the reader keeps only its cursors. */
  readonly buffered_bytes: number;
  /** Above this much unsent, the reader is gone for good: answers to its own commands pile up. */
  readonly buffered_max_bytes: number;
  /** A reader that takes nothing for so long is closed with 4008. */
  readonly stalled_ms: number;
  /** Silence after which a socket is pinged; twice that without a sign of life ends it. */
  readonly silence_ms: number;
  /** How long before its token ends a socket is warned. */
  readonly expiry_warning_ms: number;
  /** Credentials without an end (API keys) are shown again after this, so that a revoked one loses its socket. */
  readonly credential_ms: number;
  /** One timer a server does all the above. */
  readonly sweep_ms: number;
}

export const defaultLimits: Limits = {
  hello_ms: 10_000,
  unauthenticated: 4096,
  unauthenticated_address: 1024,
  subscriptions: 256,
  commands: 256,
  frames_second: 2_000,
  bad_frames: 10,
  buffered_bytes: 256 * 1024,
  buffered_max_bytes: 2 * 1024 * 1024,
  stalled_ms: 30_000,
  silence_ms: 30_000,
  expiry_warning_ms: 60_000,
  credential_ms: 3_600_000,
  sweep_ms: 1000,
};
