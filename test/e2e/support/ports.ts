import { documentedPorts } from '#node/localnet/network.ts';
import { expectFreePorts, freePorts } from '#node/localnet/ports.ts';

/** What `--base-port` takes: nobody holds it, nor any of the others that nodes on one machine have from it. */
export async function freeBasePort(nodes: number): Promise<number> {
  for (;;) {
    const [ports] = await freePorts(1);
    if (ports !== undefined && (await expectFreePorts(documentedPorts(nodes, ports.p2p))).ok) return ports.p2p;
  }
}
