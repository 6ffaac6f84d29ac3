import { committedKernel } from '../kernels/committed.ts';
import type { Node } from '../onnx/model.ts';
import { Refusal } from '../onnx/refusal.ts';
import { assembleModule } from './assemble.ts';
import { openCore } from './harness.ts';
import { layOut } from './layout.ts';
import { MAX_FOLDED_BYTES } from './limits.ts';
import { OPCODE } from './opcodes.ts';
import { address, createPlan, type PlanBuilder, type Value } from './plan.ts';

const INFINITE_BITS = 0x7f800000;
const CANONICAL_NAN_BITS = 0x7fc00000;

/**
 * The steps run here on the engine alone, and what sign and payload an engine's NaN has is its own affair, while the chain's
 * machine makes every computed NaN canonical. No kernel looks at the bits of a NaN, so that it is enough to do it at the end.
 */
function makeNansCanonical(data: Uint8Array): void {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0; at < data.length; at += 4)
    if ((view.getUint32(at, true) & 0x7fffffff) > INFINITE_BITS) view.setUint32(at, CANONICAL_NAN_BITS, true);
}

/**
 * What a node of constants gives, as constants: its steps are run now, by the very kernels that would run them in every
 * inference, so that both come to the same bits. Results that are larger than what they save stay steps.
 */
export function fold(node: Node, plan: PlanBuilder, from: number, results: readonly Value[]): readonly Value[] {
  const open = results.filter(({ buffer }) => buffer.data === undefined);
  const bytes = open.reduce((sum, { buffer }) => sum + buffer.bytes, 0);
  if (open.length === 0 || bytes > MAX_FOLDED_BYTES) return results;
  const own = createPlan();
  for (const { opcode, operands } of plan.take(from)) own.emit(opcode, ...operands);
  let at = 0;
  for (const { buffer } of open) {
    own.emit(OPCODE.outputBytes, address(buffer), at, buffer.bytes);
    at += buffer.bytes;
  }
  const image = layOut({ steps: own.steps, describe: '', requestBytes: 0, answerBytes: bytes, lengthError: '' });
  const answer = openCore(assembleModule(committedKernel('runtime'), image)).infer(new Uint8Array(0), 0n);
  if (!answer.ok) throw new Refusal('invalid', answer.error, node.name, node.op);
  let next = 0;
  return results.map((value) => {
    if (value.buffer.data !== undefined) return value;
    const data = answer.value.slice(next, next + value.buffer.bytes);
    next += value.buffer.bytes;
    if (value.dtype === 'float32') makeNansCanonical(data);
    return { ...value, buffer: plan.constant(data) };
  });
}
