/** A node that logs what its application is told of misbehavior: `node telling-node.ts <home>`. */
import { toHexUpper } from '#core/bytes.ts';
import { openApplication } from '#runtime/app.ts';
import { runComposition } from './composition.ts';

await runComposition(async (_home, logger) => ({
  async openApplication(options, deps) {
    const app = await openApplication(options, deps);
    const finalize = app.finalizeBlock.bind(app);
    app.finalizeBlock = (request) => {
      for (const { type, validator, height } of request.misbehavior)
        logger.warn('the application is told of misbehavior', {
          kind: type,
          validator: toHexUpper(validator.address),
          of: height,
          in: request.height,
        });
      return finalize(request);
    };
    return app;
  },
}));
