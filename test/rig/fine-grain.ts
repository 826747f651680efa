/** Imported before anything else: cuts data finely in this process and its workers (`cache/grain.ts`). */
process.env.FINETUNE_GRAIN = 'fine';
