/** What a pool and its children say to each other, over the channel that `fork` opens. */
import type { Failure, Result } from '#core/result.ts';
import type { ExecutionOutcome, HostFault } from '#vm/outcome.ts';
import type { Call, TrainCall } from './executor.ts';

export type Task =
  | { readonly kind: 'execute'; readonly call: Call }
  | { readonly kind: 'train'; readonly call: TrainCall }
  | { readonly kind: 'describe' };

export type ToChild =
  /** `model`: component hash and memory bound as text. Answered by `missing` where it is not loaded. */
  | { readonly kind: 'task'; readonly id: number; readonly model: string; readonly task: Task }
  | {
      /** The component is in the parts that came before, whose hash the child checks. */
      readonly kind: 'load';
      readonly id: number;
      readonly model: string;
      readonly memoryPages: number;
    }
  /** The next bytes of a component of so many in all. A part at 0 begins anew. */
  | { readonly kind: 'part'; readonly at: number; readonly total: number; readonly bytes: Uint8Array };

export type FromChild =
  /** Said once, when the process is up. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'missing'; readonly id: number }
  | { readonly kind: 'loaded'; readonly id: number; readonly fault: HostFault | undefined }
  | { readonly kind: 'executed'; readonly id: number; readonly outcome: ExecutionOutcome }
  | { readonly kind: 'described'; readonly id: number; readonly result: Result<string, Failure> };
