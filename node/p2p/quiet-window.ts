import type { Stream } from '@libp2p/interface';

/** What is relied upon of a yamux stream. */
interface WindowedStream {
  /** Grants the sender what has been read since the last time. */
  sendWindowUpdate: () => void;
  readonly state: number;
  /** Bytes that the sender may send in all, and that it may still send. */
  readonly recvWindow: number;
  readonly recvWindowCapacity: number;
}

/** `StreamState.Established` of @libp2p/yamux: before it, an update also answers that the stream is accepted. */
const ESTABLISHED = 3;

/**
 * Grants the sender of a stream new room when half of its window is used, as yamux of other languages does, not after
 * each frame: for small messages that is a frame back for every frame. A stream of another kind is left as it is.
 */
export function quietWindow(stream: Stream): void {
  if (!isWindowed(stream)) return;
  const update = stream.sendWindowUpdate.bind(stream);
  stream.sendWindowUpdate = () => {
    if (stream.state !== ESTABLISHED || 2 * stream.recvWindowCapacity < stream.recvWindow) update();
  };
}

function isWindowed(stream: object): stream is WindowedStream {
  return (
    'sendWindowUpdate' in stream &&
    typeof stream.sendWindowUpdate === 'function' &&
    'state' in stream &&
    typeof stream.state === 'number' &&
    'recvWindow' in stream &&
    typeof stream.recvWindow === 'number' &&
    'recvWindowCapacity' in stream &&
    typeof stream.recvWindowCapacity === 'number'
  );
}
