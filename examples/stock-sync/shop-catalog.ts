import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { DefineBackendTypeCommand, DefineModelCommand, isRefusal, RegisterBackendCommand, type Refusal } from '#nest';
import { PRODUCT_MODEL, SHOP } from './stock-sync.job.js';

const SHOP_TYPE = 'shop';

/** Says at each start what kind of shop there is, and what is bound to it. What stands there already stays as it is. */
@Injectable()
export class ShopCatalog implements OnApplicationBootstrap {
  constructor(private readonly commands: CommandBus) {}

  async onApplicationBootstrap(): Promise<void> {
    done(await this.commands.execute(new DefineBackendTypeCommand({ type: SHOP_TYPE, label: 'Web shop' })));
    const dataSchema = { type: 'object', properties: { stock: { type: 'integer', minimum: 0 } } };
    const model = { model: PRODUCT_MODEL, backendType: SHOP_TYPE, localModel: 'product.product', dataSchema };
    done(await this.commands.execute(new DefineModelCommand(model)));
    const shop = { id: SHOP, type: SHOP_TYPE, location: 'https://shop.example.org' };
    const registered = await this.commands.execute(new RegisterBackendCommand(shop));
    if (!isRefusal(registered) || registered.refused !== 'BACKEND_EXISTS') done(registered);
  }
}

function done(answer: object | Refusal): void {
  if (isRefusal(answer)) throw new Error(`${answer.refused}: ${answer.detail}`);
}
