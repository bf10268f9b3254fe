/** The bounds of the socket surface. Each has its reason in docs/PROTOCOL.md; tests pass shorter times. */
export interface Limits {
  /** A socket that has not signed in by then is closed. */
  readonly hello_ms: number;
  /** Sockets that have not signed in, at once: on this node, and of one address. */
  readonly unauthenticated: number;
  readonly unauthenticated_address: number;
  /** Sockets at once on all nodes together: of one user, and of one organisation. */
  readonly sockets_user: number;
  readonly sockets_org: number;
  /** Runs followed at once on one socket. */
  readonly subscriptions: number;
  /** Runs followed at once on all nodes together; of the others a node knows to within ten seconds. */
  readonly subscriptions_user: number;
  readonly subscriptions_org: number;
  /** Commands under way at once on one socket. */
  readonly commands: number;
  /** Frames a client may send in a second; above it is a flood. */
  readonly frames_second: number;
  /** Frames in ten seconds on all nodes together; above it they are refused until the ten seconds are over. */
  readonly frames_user: number;
  readonly frames_org: number;
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
  sockets_user: 256,
  sockets_org: 10_000,
  subscriptions: 256,
  subscriptions_user: 10_000,
  subscriptions_org: 100_000,
  commands: 256,
  frames_second: 2_000,
  frames_user: 20_000,
  frames_org: 200_000,
  bad_frames: 10,
  buffered_bytes: 256 * 1024,
  buffered_max_bytes: 2 * 1024 * 1024,
  stalled_ms: 30_000,
  silence_ms: 30_000,
  expiry_warning_ms: 60_000,
  credential_ms: 3_600_000,
  sweep_ms: 1000,
};
