/** The options of every stage as it sees them, defaults filled in. Made by schemas/generate.ts from schemas/stages/. */

/**
 * Runs a program of any kind in a folder of its own. The folder is fresh and holds `files` at their paths relative to the recipe; the environment is PATH, an empty HOME, LANG=C.UTF-8, TZ=UTC and `env`. `$OUT` is where the result goes. `$IN` is the folder of what `from` names; of a map, whose names are yours to choose, `$IN_<name>` (with `_` for `-`): rows are a folder with rows.jsonl, one JSON object of fields a line; files and models are folders; metrics are a folder with metrics.json.
 */
export interface CommandOptions {
  /**
   * A line for the shell (sh -c), or a list: a program and its arguments, run as they stand. Of several lines (run: |) the first that fails ends the command.
   */
  readonly run: string | readonly string[];
  /**
   * Globs of the files that it reads, relative to the folder of the recipe. One, or a list. It sees no others.
   */
  readonly files?: string | readonly string[];
  /**
   * Environment variables, which belong to the key. A secret is written "${env:NAME}" and belongs to none.
   */
  readonly env: {
    readonly [k: string]: string | number | boolean;
  };
  /**
   * What `$OUT` is. files: an empty folder, whose files are the result. rows: a file to be written, JSON Lines; each object is a row. metrics: a file to be written, one JSON object.
   */
  readonly output: 'files' | 'rows' | 'metrics';
  /**
   * With output: rows, the field whose value names each row. It must be unique. Without it, ids are made from the content.
   */
  readonly key?: string;
  /**
   * Rows with their ids: each line of an input's rows.jsonl, and of `$OUT` with output: rows, is {"id": …, "parent": …, "fields": {…}}.
   */
  readonly ids: boolean;
}

/**
 * Documents (Markdown, HTML, text) and records (JSON Lines, JSON, CSV, Parquet) from the recipe's folder, one row each. All but Parquet may be packed: .gz, .zst, .br.
 */
export interface FilesOptions {
  /**
   * Globs of the files, relative to the folder of the recipe or to `root`: docs/** /*.md. One, or a list.
   */
  readonly paths: string | readonly string[];
  /**
   * Folder that `paths`, file names and row ids are relative to; may lie outside the recipe's folder. It is no part of the key: the same files elsewhere are the same rows.
   */
  readonly root?: string;
  /**
   * How to read the files; auto goes by the extension. Documents must be UTF-8 (HTML may declare a charset). HTML's main content becomes Markdown. json is an array of objects, or objects one after the other. Values of Parquet become JSON: whole numbers beyond 2^53 and long decimals as text, dates and times as 2024-05-01T13:45:00Z, binary as base64, NaN as null.
   */
  readonly format: 'auto' | 'markdown' | 'html' | 'text' | 'jsonl' | 'json' | 'csv' | 'parquet';
  /**
   * One row for each file, or for each section of a Markdown or HTML document: its id is `path#heading`, its text goes up to the next heading (`path#` is what stands before the first). Sections without text make no row.
   */
  readonly by: 'file' | 'section';
  /**
   * Field whose value names each record of JSONL, JSON, CSV and Parquet files. It must be unique. Without it, ids are made from the content: a corrected record is then a new row.
   */
  readonly key?: string;
  /**
   * Of records, these columns or fields only. Of Parquet the others are not even read.
   *
   * @minItems 1
   */
  readonly columns?: readonly string[];
  /**
   * What separates the cells of CSV files; auto takes the most frequent one of the header line (tab for .tsv).
   */
  readonly delimiter: 'auto' | ',' | ';' | 'tab';
}

/**
 * A data set of the Hugging Face Hub (Parquet, JSON Lines, JSON, CSV, packed ones too), or a local copy of one: a git clone, or a snapshot of the Hub's cache. Files come once, are checked, and are kept beside the store; the commit is pinned in the lock file, and `--refresh` looks for a newer one.
 */
export interface HubOptions {
  /**
   * Name of the data set: HuggingFaceH4/Multilingual-Thinking.
   */
  readonly hub?: string;
  /**
   * A local copy, in place of `hub`: a folder, relative to the folder of the recipe.
   */
  readonly path?: string;
  /**
   * A commit (40 hex digits), or a branch or tag: what it is at is found once and pinned in the lock file.
   */
  readonly revision: string;
  /**
   * Subset of the data set. Its default one without it.
   */
  readonly config?: string;
  /**
   * Split of the data set, as its card or the names of its files say.
   */
  readonly split: string;
  /**
   * Globs of files in the data set, in place of `config` and `split`: data/train-*.parquet. One, or a list.
   */
  readonly files?: string | readonly string[];
  /**
   * These columns only. Of Parquet the others are not even read.
   *
   * @minItems 1
   */
  readonly columns?: readonly string[];
  /**
   * So many rows from the beginning, and no more. Files that are not needed for them do not come.
   */
  readonly limit?: number;
  /**
   * Column whose value names each row. It must be unique. Without it, ids are made from the content.
   */
  readonly key?: string;
  /**
   * What separates the cells of CSV files; auto takes the most frequent one of the header line (tab for .tsv).
   */
  readonly delimiter: 'auto' | ',' | ';' | 'tab';
  /**
   * Token for gated and private data sets, as a secret: "${env:HF_TOKEN}".
   */
  readonly token?: string;
  /**
   * The Hub, or a server that stands in for it. It is no part of the key: a commit is the same everywhere.
   */
  readonly endpoint: string;
}

/**
 * A model in Hugging Face's layout: config.json, tokenizer.json and safetensors weights. A local folder is checked and referenced, not copied; one of the Hugging Face Hub comes once, is checked, and lies in a folder of yours for all projects (~/.cache/finetune/models, or FINETUNE_MODELS). Its commit is pinned in the lock file.
 */
export interface ModelOptions {
  /**
   * The folder, relative to the folder of the recipe.
   */
  readonly path?: string;
  /**
   * Name of a model on the Hub, in place of `path`: openai/gpt-oss-20b. Of its files only weights, tokenizer and configuration come.
   */
  readonly hub?: string;
  /**
   * A commit (40 hex digits), or a branch or tag (main without it): what it is at is found once and pinned in the lock file. `--refresh` looks for a newer one.
   */
  readonly revision?: string;
  /**
   * Token for gated and private models, as a secret: "${env:HF_TOKEN}".
   */
  readonly token?: string;
  /**
   * The Hub, or a server that stands in for it. It is no part of the key: a commit is the same everywhere.
   */
  readonly endpoint: string;
}

/**
 * An SQL query over files (CSV, JSON, Parquet, by DuckDB), over an SQLite database, or on a PostgreSQL server. What a server gives is pinned in the lock file; `--refresh` asks it again.
 */
export interface SqlOptions {
  /**
   * One SELECT, in the dialect of what it is asked of: DuckDB, SQLite or PostgreSQL. Without ORDER BY the order is the database's own. Of the result, whole numbers beyond 2^53 and long decimals are text, dates and times are written as 2024-05-01T13:45:00Z, binary as base64; NULL and NaN are null.
   */
  readonly query?: string;
  /**
   * A file with the query, in place of `query`; relative to the folder of the recipe.
   */
  readonly file?: string;
  /**
   * Globs of the files that the query reads, relative to the folder of the recipe: data/*.csv. One, or a list. Each file is a table, called by its path in quotes ('data/users.csv') or its name without ending (users); a glob in quotes, as it stands here, is all of its files. The query sees no others.
   */
  readonly files?: string | readonly string[];
  /**
   * An SQLite database, relative to the folder of the recipe. It is read as it lies, and not changed.
   */
  readonly sqlite?: string;
  /**
   * URL of a PostgreSQL server and database, as a secret: "${env:DATABASE_URL}". The query runs in a transaction that may only read.
   */
  readonly postgres?: string;
  /**
   * Column whose value names each row. It must be unique. Without it, ids are made from the content.
   */
  readonly key?: string;
  /**
   * Main memory that a query over files may use; what does not fit goes to files beside the store.
   */
  readonly memory: string;
}

/**
 * Pages of the web, one row each: its address, its title, and its main content as Markdown. Addresses come from a list, a file, a sitemap, or a crawl. The result is pinned in the lock file, and a build asks for nothing that it has; `finetune build --refresh node` asks for all of it again.
 */
export interface WebOptions {
  /**
   * Addresses of pages. One, or a list.
   *
   * @minItems 1
   */
  readonly urls?: string | readonly string[];
  /**
   * A file with one address a line. Empty lines and lines that begin with # say nothing.
   */
  readonly file?: string;
  /**
   * Address of a sitemap (XML, also packed, or one address a line), of an index of sitemaps, or of a robots.txt that names some. One, or a list.
   *
   * @minItems 1
   */
  readonly sitemap?: string | readonly string[];
  /**
   * Pages from which links are followed, on their own hosts only. One, or a list.
   *
   * @minItems 1
   */
  readonly start?: string | readonly string[];
  /**
   * How many links away from a `start` a page may be; 0 is the start alone.
   */
  readonly depth: number;
  /**
   * Regular expressions (JavaScript, u flag), of which one must be found in an address of a sitemap or crawl. A start that none is found in is asked for its links, and makes no row.
   */
  readonly include?: string | readonly string[];
  /**
   * Regular expressions, none of which may be found in an address of a sitemap or crawl.
   */
  readonly exclude?: string | readonly string[];
  /**
   * Most addresses of a sitemap or crawl that are asked for; a warning says when there were more.
   */
  readonly max_pages: number;
  /**
   * One row for each page, whose id is its address, or for each section of it: its id is `address#heading`, its text goes up to the next heading.
   */
  readonly by: 'page' | 'section';
  /**
   * Who asks for the pages: this program, or Bright Data, which is paid for them.
   */
  readonly via: 'direct' | 'brightdata';
  /**
   * With `via: brightdata`: the API key, "${env:BRIGHTDATA_API_KEY}".
   */
  readonly token?: string;
  /**
   * With `via: brightdata`: name of a Web Unlocker zone, which brings pages one by one.
   */
  readonly zone?: string;
  /**
   * With `via: brightdata`: id of a scraper that takes addresses of pages, such as the Crawl API (gd_m6gjtfmeh43we6cqc), which brings pages by the batch. What it could not get is then asked for one by one through the zone, where there is one.
   */
  readonly dataset?: string;
  /**
   * With `via: brightdata`: who makes Markdown of a page, this program (own, as with `via: direct`) or Bright Data (service). A crawl needs our own, since links are no part of the other.
   */
  readonly convert: 'own' | 'service';
  /**
   * With a zone: the country that it asks from.
   */
  readonly country?: string;
  /**
   * With a dataset: minutes that a batch may take. Its pages are then rejects for now, and the next build goes on with the batch.
   */
  readonly wait: number;
  /**
   * With `via: brightdata`: where its API is.
   */
  readonly endpoint: string;
  /**
   * Heed robots.txt (RFC 9309), its crawl-delay too. With `via: brightdata` that is Bright Data's affair.
   */
  readonly robots: boolean;
  /**
   * How we present ourselves; its first word is the name that robots.txt calls us by. A way to reach you belongs here: "acme-docs (mailto:docs@acme.example)".
   */
  readonly user_agent: string;
  /**
   * Further headers of each request (`via: direct`): Accept-Language. They are in the key, so no secrets here.
   */
  readonly headers: {
    readonly [k: string]: string;
  };
  /**
   * Secret headers for single hosts, which no other host gets, also not by a redirect (`via: direct`): { "https://docs.acme.example": { Authorization: "${env:DOCS_AUTH}" } }.
   */
  readonly credentials: {
    readonly [k: string]: {
      readonly [k: string]: string;
    };
  };
  /**
   * Most redirects for one page.
   */
  readonly redirects: number;
  /**
   * Largest page, unpacked, in MB.
   */
  readonly max_mb: number;
  /**
   * Requests at once to one host, or to Bright Data.
   */
  readonly concurrency: number;
  /**
   * Seconds between the starts of two requests to one host.
   */
  readonly delay: number;
  /**
   * Seconds that one answer may take from first to last byte. Through Bright Data, which tries several ways, at least 180.
   */
  readonly timeout: number;
  /**
   * How often a page that timed out, or was refused for now (429, 5xx), is asked for again by the same build. What is still missing then is a reject, which the next build tries again.
   */
  readonly retries: number;
}

/**
 * Makes more rows out of few: copies of each row stand below it, with a text changed and a field `augmented` that says how. Synonyms and noise are drawn by the seed and the row's id. A paraphrase, a translation there and back, or the answer of a stronger model comes from a server that speaks OpenAI's protocol, and is kept as by llm-map. A copy that reads like its row, or like another copy, is left out.
 */
export interface AugmentOptions {
  /**
   * One way or several; each makes copies of its own. synonyms: words of the file `synonyms` in place of others. insert, delete, swap: noise. paraphrase: in other words. back-translation: to another language and back. pseudo-label: the text is asked, and the answer written into `into`.
   */
  readonly how:
    | ('synonyms' | 'insert' | 'delete' | 'swap' | 'paraphrase' | 'back-translation' | 'pseudo-label')
    | readonly ('synonyms' | 'insert' | 'delete' | 'swap' | 'paraphrase' | 'back-translation' | 'pseudo-label')[];
  /**
   * Field whose text is changed (for pseudo-label: asked), or a list of them.
   */
  readonly field: string | readonly string[];
  /**
   * Copies of a row, for each way.
   */
  readonly copies: number;
  /**
   * Whether the rows themselves stay.
   */
  readonly originals: boolean;
  /**
   * Share of the words of a text that synonyms and noise may touch at most. A text of fewer words than one in that share gets no noise; one synonym it may get.
   */
  readonly rate: number;
  /**
   * Words and phrases that synonyms and noise leave alone: product names, terms. Words with a digit are always left alone.
   */
  readonly keep?: readonly string[];
  /**
   * File of synonyms: a group of words a line, with commas between (quick, fast, rapid), or "car -> automobile" for one direction; JSON; or a thesaurus in MyThes format, as LibreOffice's dictionaries are, of which words with one meaning are taken.
   */
  readonly synonyms?: string;
  /**
   * Language of the texts, named for the model.
   */
  readonly language: string;
  /**
   * Languages of back-translation, one after another for the copies.
   *
   * @minItems 1
   */
  readonly via: readonly string[];
  /**
   * Of pseudo-label: field of the answer.
   */
  readonly into: string;
  /**
   * Of paraphrase and pseudo-label: what the model is asked, in place of our words. A Jinja template over the row's fields; the text to change is {{ text }}.
   */
  readonly prompt?: string;
  /**
   * The system message, a template as well.
   */
  readonly system?: string;
  /**
   * Address that /chat/completions stands below: https://api.openai.com/v1, http://localhost:8000/v1. It is not part of the key: the same model at another address gives the answers that are kept.
   */
  readonly endpoint?: string;
  /**
   * Sent as a bearer token: "${env:OPENAI_API_KEY}".
   */
  readonly api_key?: string;
  /**
   * Further headers of each request. Values may be ${env:NAME}.
   */
  readonly headers?: {
    readonly [k: string]: string;
  };
  /**
   * Name of the model, as the server knows it.
   */
  readonly model?: string;
  /**
   * Anything that tells two models of one name apart. Change it when the server has put another model behind the name: then everything is asked again.
   */
  readonly revision?: string | number;
  /**
   * Requests at a time, over all rows of the build. Nodes that ask the same model at the same address count together.
   */
  readonly concurrency: number;
  /**
   * Most requests within any 60 seconds.
   */
  readonly requests_per_minute?: number;
  /**
   * Most tokens within any 60 seconds, of questions and answers together: estimated before a request, counted after it.
   */
  readonly tokens_per_minute?: number;
  /**
   * Seconds until an answer must be here.
   */
  readonly timeout: number;
  /**
   * How often a request is sent again after trouble that may pass (a time-out, a status of 500 and above), waiting longer each time. A server that says it is busy (429) is asked up to 20 times, when it says. After that the row is rejected, and the next build tries it again.
   */
  readonly retries: number;
  /**
   * Sampling temperature; the server's own if left out.
   */
  readonly temperature?: number;
  /**
   * Nucleus sampling.
   */
  readonly top_p?: number;
  /**
   * Most tokens of an answer. One that is cut off is rejected.
   */
  readonly max_tokens?: number;
  /**
   * Text, or a list of texts, at which the answer ends.
   */
  readonly stop?: string | readonly string[];
  /**
   * Of reasoning models: low, medium, high, or what the server knows.
   */
  readonly reasoning_effort?: string;
  /**
   * Further members of each request, as the server wants them: { top_k: 40 }.
   */
  readonly body?: {};
  /**
   * Prices of a million tokens, for the cost beside the counts.
   */
  readonly prices?: {
    /**
     * Of questions.
     */
    readonly input: number;
    /**
     * Of answers.
     */
    readonly output: number;
    /**
     * Written before the amount.
     */
    readonly currency: string;
  };
  /**
   * Another seed draws other words; 0 if left out. Where it is given, a server is sent it too, higher by one with each copy.
   */
  readonly seed?: number;
}

/**
 * Looks whether the rows keep rules, and fails or warns where too few do. It changes no row: what comes in goes on, so that what stands below runs only on data that passed. Rows that broke a rule are in the output `failing` with the reasons; `report` says of every rule how many rows it saw, and of one that saw none that it says nothing.
 */
export interface CheckOptions {
  /**
   * Rules, each about a field, or one of unique, schema and expression: { field: response, required: true, characters: { min: 20 } }.
   *
   * @minItems 1
   */
  readonly rules?: ({
    readonly [k: string]: unknown;
  } & {
    /**
     * What the rule is called in reports; made of what it says if left out.
     */
    readonly name?: string;
    /**
     * Field that the rule is about. A dot leads into maps and lists: messages.content. Rows that lack it are not its business, unless it is required.
     */
    readonly field?: string;
    /**
     * The field must be there and not be empty.
     */
    readonly required?: boolean;
    /**
     * What the field holds.
     */
    readonly type?: 'text' | 'number' | 'integer' | 'boolean' | 'list' | 'map';
    /**
     * Least number that passes.
     */
    readonly min?: number;
    /**
     * Greatest number that passes.
     */
    readonly max?: number;
    /**
     * Fewest and most characters of a text.
     */
    readonly characters?: {
      /**
       * Fewest characters.
       */
      readonly min?: number;
      /**
       * Most characters.
       */
      readonly max?: number;
    };
    /**
     * Fewest and most words of a text (parts between white space).
     */
    readonly words?: {
      /**
       * Fewest words.
       */
      readonly min?: number;
      /**
       * Most words.
       */
      readonly max?: number;
    };
    /**
     * Fewest and most items of a list, such as messages.
     */
    readonly items?: {
      /**
       * Fewest items.
       */
      readonly min?: number;
      /**
       * Most items.
       */
      readonly max?: number;
    };
    /**
     * Regular expressions (JavaScript, u flag) that must all be found.
     */
    readonly matches?: string | readonly string[];
    /**
     * Regular expressions none of which may be found.
     */
    readonly not_matches?: string | readonly string[];
    /**
     * Values that pass.
     *
     * @minItems 1
     */
    readonly in?: readonly (string | number | boolean | null)[];
    /**
     * Values that do not pass.
     *
     * @minItems 1
     */
    readonly not_in?: readonly (string | number | boolean | null)[];
    /**
     * Language of the text, or a list of those that pass: ISO 639-1 codes. With `mostly` the share that must be in it. Texts of fewer than 12 letters are not its business.
     */
    readonly language?: string | readonly string[];
    /**
     * harmony: the text (field text) was rendered in gpt-oss's format. Four rules: has_user_tag, has_assistant_tag, has_channel_tag (every message of the assistant names its channel) and has_message_tags.
     */
    readonly format?: 'harmony';
    /**
     * Field or fields whose values no two rows have in common; of equal rows all but the first break the rule. With `mostly` the share of duplicates that may be: 0.98 allows 2 %.
     */
    readonly unique?: string | readonly string[];
    /**
     * Of `unique`, what counts as equal, as in `dedup`; none if left out.
     */
    readonly normalize?: 'none' | 'whitespace' | 'case' | 'letters';
    /**
     * JSON Schema that the row's fields must fit.
     */
    readonly schema?: {};
    /**
     * Expression over the row's fields that must be true, as in `filter`: length(response) > length(instruction).
     */
    readonly expression?: string;
    /**
     * Share of the rows that are its business which must keep the rule; the check's own `mostly` if left out.
     */
    readonly mostly?: number;
    /**
     * In place of `mostly`: bounds of the share of rows that keep the rule, such as { min: 0.2, max: 0.4 } of one language among several. No row fails by such a rule.
     */
    readonly share?: {
      /**
       * Least share.
       */
      readonly min?: number;
      /**
       * Greatest share.
       */
      readonly max?: number;
    };
    /**
     * error fails the node when the rule is broken; warn says so and goes on. error if left out.
     */
    readonly severity?: 'error' | 'warn';
  })[];
  /**
   * How many rows there must be.
   */
  readonly rows?: {
    /**
     * Fewest rows.
     */
    readonly min?: number;
    /**
     * Most rows.
     */
    readonly max?: number;
    /**
     * What becomes of another number; error if left out.
     */
    readonly severity?: 'error' | 'warn';
  };
  /**
   * What the data is to teach: warns below the size that takes at the least, 1,000 rows for questions and answers (faq), 3,000 for technical explanations, 10,000 for reasoning.
   */
  readonly task?: 'faq' | 'technical' | 'reasoning';
  /**
   * Share of rows that must keep a rule, where the rule does not say.
   */
  readonly mostly: number;
  /**
   * Whether rows that broke a rule stay in the output `rows`; they are in `failing` either way.
   */
  readonly failing: 'keep' | 'drop';
}

/**
 * Runs a text classifier of a local folder over each text and writes its label and score beside it: quality, topic, toxicity. A `filter` with `where` then keeps rows by the score. Every result is kept, so that a build which was killed classifies nothing twice.
 */
export interface ClassifyOptions {
  /**
   * Folder of the classifier: tokenizer.json, config.json and model.onnx or onnx/model.onnx, as the Hub and `optimum-cli export onnx` lay it out. It runs on the CPU, one text at a time: the scores do not depend on the number of workers.
   */
  readonly path: string;
  /**
   * Field that is classified. A text that is longer than the model reads is judged by its beginning.
   */
  readonly field: string;
  /**
   * Field of the most likely label, as config.json names it. A model with a single output has none.
   */
  readonly label: string;
  /**
   * Field of that label's share; of a model with a single output, its measure.
   */
  readonly score: string;
  /**
   * Field of the shares of all labels, by name.
   */
  readonly scores?: string;
  /**
   * What is made of the model's outputs: shares that sum up to 1, a chance of each label, or the numbers as they are. Left out: as config.json says (problem_type), else softmax, and none for a single output.
   */
  readonly activation?: 'softmax' | 'sigmoid' | 'none';
  /**
   * File of the graph in the folder, where it is neither onnx/model.onnx nor model.onnx: onnx/model_quantized.onnx.
   */
  readonly graph?: string;
  /**
   * Tokens that a text is cut to, where they are fewer than the model can read.
   */
  readonly max_tokens?: number;
}

/**
 * Drops rows that share a run of words with the rows of a test, so that the test measures what the model can do and not what it has read. Takes two inputs: from: { rows: pairs, against: [held, mmlu] }. When the test changes, all rows are looked at again.
 */
export interface DecontaminateOptions {
  /**
   * Field that is looked at, or a list of them; every text of the row if left out, however deep. A dot leads into maps and lists: messages.content.
   */
  readonly field?: string | readonly string[];
  /**
   * Field or fields of the test's rows, such as the question; every text of theirs if left out.
   */
  readonly against?: string | readonly string[];
  /**
   * Length of a run in words, without regard to capitals and punctuation.
   */
  readonly words: number;
  /**
   * Length of a run in texts of scripts without spaces (Chinese, Japanese, Thai), in characters.
   */
  readonly characters: number;
  /**
   * A text of the test that is shorter than a run counts as a whole, from so many words on, or twice as many characters of such scripts.
   */
  readonly shortest: number;
  /**
   * A run that stands in so many rows of the test is a phrase of its own ("choose the best answer") and does not count.
   */
  readonly common: number;
}

/**
 * Removes exact duplicates: of the rows that are equal in the chosen fields, the first in order stays.
 */
export interface DedupOptions {
  /**
   * Field or fields to compare; all of them if left out. A row that has none of them (or null) is kept. A dot leads into maps and lists: messages.0.content.
   */
  readonly by?: string | readonly string[];
  /**
   * What counts as equal: none, the same characters; whitespace, but for white space; case, also but for capitals; letters, the same letters and digits, whatever stands between them.
   */
  readonly normalize: 'none' | 'whitespace' | 'case' | 'letters';
}

/**
 * Keeps the rows whose text and numbers pass every rule; the others are dropped with the rule they broke.
 */
export interface FilterOptions {
  /**
   * Field that the rules look at.
   */
  readonly field: string;
  /**
   * Fewest characters.
   */
  readonly min?: number;
  /**
   * Most characters.
   */
  readonly max?: number;
  /**
   * Fewest and most words (parts between white space).
   */
  readonly words?: {
    /**
     * Fewest words.
     */
    readonly min?: number;
    /**
     * Most words.
     */
    readonly max?: number;
  };
  /**
   * Regular expressions (JavaScript, u flag) that must all be found. Nested repetitions such as (a+)+ can take very long on some texts.
   */
  readonly matches?: string | readonly string[];
  /**
   * Regular expressions none of which may be found.
   */
  readonly not_matches?: string | readonly string[];
  /**
   * Phrases that must not occur, in any case, as whole words: navigation and boilerplate such as "click here", "all rights reserved".
   */
  readonly without?: string | readonly string[];
  /**
   * What other fields must hold, by the field's name or path: bounds of numbers, such as those that `score` writes ({ repetition: { max: 0.3 } }), or values, such as those of `language` ({ language: { in: [en, es] } }).
   */
  readonly where?: {
    /**
     * Least and greatest number that pass, or the values that do.
     */
    readonly [k: string]: {
      /**
       * Least number that passes.
       */
      readonly min?: number;
      /**
       * Greatest number that passes.
       */
      readonly max?: number;
      /**
       * Values that pass.
       *
       * @minItems 1
       */
      readonly in?: readonly (string | number | boolean | null)[];
      /**
       * Values that do not pass.
       *
       * @minItems 1
       */
      readonly not_in?: readonly (string | number | boolean | null)[];
    };
  };
  /**
   * Expression over the row's fields that must be true: length(response) > 2 * length(instruction) and lang in ['en', 'es']. It knows == != < <= > >=, in, not in, matches 'pattern', + - * / %, and, or, not, and length, words, lower, number, exists. A dot leads into maps and lists: 'tool' in messages.role.
   */
  readonly expression?: string;
  /**
   * Language of the text, or a list of those that pass: ISO 639-1 codes. Where the choice may change, detect it once with `language` and judge by it with `where`.
   */
  readonly language?: string | readonly string[];
  /**
   * Whether `matches` and `not_matches` take capitals and small letters as equal.
   */
  readonly ignore_case: boolean;
}

/**
 * Writes the language of a text into a field of its own: its ISO 639-1 code (en, zh, pt, no …), or und where it cannot be told. A `filter` with `where` then keeps rows by it. Below some 30 letters one answer of ten is wrong in languages that share an alphabet, above 60 one of forty.
 */
export interface LanguageOptions {
  /**
   * Field whose language is looked for. A dot leads into maps and lists: messages.thinking is the reasoning of all messages.
   */
  readonly field: string;
  /**
   * Field for the language.
   */
  readonly as: string;
  /**
   * Fewest letters; a shorter text is und. A character of Chinese, Japanese or Korean counts as three. Addresses, tags and code in backticks do not count.
   */
  readonly min: number;
  /**
   * Languages that there can be: of short texts more are then told right.
   *
   * @minItems 1
   */
  readonly only?: readonly string[];
}

/**
 * Asks a language model about each row, at any server that speaks OpenAI's protocol, and writes the answer into the row. Every answer is kept as soon as it has come: a build that was killed, a row that did not change, an equal question elsewhere pay for nothing twice. Refused, cut-off and unfitting answers are rejects.
 */
export interface LlmMapOptions {
  /**
   * Address that /chat/completions stands below: https://api.openai.com/v1, http://localhost:8000/v1. It is not part of the key: the same model at another address gives the answers that are kept.
   */
  readonly endpoint: string;
  /**
   * Sent as a bearer token: "${env:OPENAI_API_KEY}".
   */
  readonly api_key?: string;
  /**
   * Further headers of each request. Values may be ${env:NAME}.
   */
  readonly headers?: {
    readonly [k: string]: string;
  };
  /**
   * Name of the model, as the server knows it.
   */
  readonly model: string;
  /**
   * Anything that tells two models of one name apart. Change it when the server has put another model behind the name: then everything is asked again.
   */
  readonly revision?: string | number;
  /**
   * Requests at a time, over all rows of the build. Nodes that ask the same model at the same address count together.
   */
  readonly concurrency: number;
  /**
   * Most requests within any 60 seconds.
   */
  readonly requests_per_minute?: number;
  /**
   * Most tokens within any 60 seconds, of questions and answers together: estimated before a request, counted after it.
   */
  readonly tokens_per_minute?: number;
  /**
   * Seconds until an answer must be here.
   */
  readonly timeout: number;
  /**
   * How often a request is sent again after trouble that may pass (a time-out, a status of 500 and above), waiting longer each time. A server that says it is busy (429) is asked up to 20 times, when it says. After that the row is rejected, and the next build tries it again.
   */
  readonly retries: number;
  /**
   * The question: a Jinja template over the row's fields. "Translate to French:\n\n{{ text }}"
   */
  readonly prompt?: string;
  /**
   * The system message, a template as well.
   */
  readonly system?: string;
  /**
   * Field that holds a conversation (a list of messages with role and content): it stands before the prompt, or in its place.
   */
  readonly messages?: string;
  /**
   * Field of the answer: `answer` if left out. With `schema`, left out, the members of the answer become fields of their own.
   */
  readonly into?: string;
  /**
   * JSON Schema of the answer. The server is told of it as it understands (response_format), and every answer is checked by it here.
   */
  readonly schema?: {};
  /**
   * How often the model is told what does not fit the schema and asked again, before the row is rejected.
   */
  readonly repairs: number;
  /**
   * Member of the answer that is a list: each of its items becomes a row of its own below the row (of a schema that is a list itself, any name).
   */
  readonly each?: string;
  /**
   * With `each`: fields that its rows take over from their row.
   */
  readonly carry?: readonly string[];
  /**
   * Field of what a reasoning model thought before it answered, where the server tells; else null.
   */
  readonly reasoning_into?: string;
  /**
   * Sampling temperature; the server's own if left out.
   */
  readonly temperature?: number;
  /**
   * Nucleus sampling.
   */
  readonly top_p?: number;
  /**
   * Most tokens of an answer. One that is cut off is rejected.
   */
  readonly max_tokens?: number;
  /**
   * Sent along, for servers that sample by it.
   */
  readonly seed?: number;
  /**
   * Text, or a list of texts, at which the answer ends.
   */
  readonly stop?: string | readonly string[];
  /**
   * Of reasoning models: low, medium, high, or what the server knows.
   */
  readonly reasoning_effort?: string;
  /**
   * Further members of each request, as the server wants them: { top_k: 40 }.
   */
  readonly body?: {};
  /**
   * Prices of a million tokens, for the cost beside the counts.
   */
  readonly prices?: {
    /**
     * Of questions.
     */
    readonly input: number;
    /**
     * Of answers.
     */
    readonly output: number;
    /**
     * Written before the amount.
     */
    readonly currency: string;
  };
}

/**
 * Brings conversations of any usual shape to one: a field `messages` with role, content, thinking and tool_calls, and `tools`, as the templates take them. Reads OpenAI's, ShareGPT's, Anthropic's and Gemini's lists, Alpaca's and other columns, and texts that a chat template has rendered. What cannot be read is a reject that says what and where.
 */
export interface MessagesOptions {
  /**
   * messages: a list, whoever's (messages, conversations, dialog, contents …). pairs: columns, such as instruction, input and output, or question and answer. text: a rendered text (Harmony, ChatML, Llama 3, [INST], ### Human). auto: the first of them that a row has.
   */
  readonly shape: 'auto' | 'messages' | 'pairs' | 'text';
  /**
   * Field of the list or of the rendered text, where it is called otherwise than usual.
   */
  readonly field?: string;
  /**
   * Fields of pairs, where they are called otherwise than usual.
   */
  readonly columns?: {
    /**
     * What the user says.
     */
    readonly user?: string;
    /**
     * What it is about, put below it.
     */
    readonly input?: string;
    /**
     * What the assistant answers.
     */
    readonly assistant?: string;
    /**
     * What the assistant thinks before.
     */
    readonly thinking?: string;
    /**
     * System message.
     */
    readonly system?: string;
    /**
     * Developer message.
     */
    readonly developer?: string;
    /**
     * Turns before: a list of pairs.
     */
    readonly history?: string;
  };
  /**
   * Who speaks under names of the data's own: { agent: assistant, visitor: user }. call: the assistant calls a function; thinking: it thinks before its next message.
   */
  readonly roles?: {
    readonly [k: string]: 'system' | 'developer' | 'user' | 'assistant' | 'tool' | 'call' | 'thinking';
  };
  /**
   * Take reasoning (<think>) and calls (<tool_call>) that stand between tags in the assistant's text out of it.
   */
  readonly tags: boolean;
  /**
   * Take "user: " and "assistant: " off the beginning of columns.
   */
  readonly role_prefixes: boolean;
  /**
   * Whether system and developer messages stay.
   */
  readonly system: 'keep' | 'drop';
  /**
   * merge joins neighbouring messages of the same role by a blank line, for templates that want turns to alternate.
   */
  readonly consecutive: 'keep' | 'merge';
  /**
   * What becomes of messages at the end that the assistant does not answer: they are taken off, stay, or reject the row.
   */
  readonly unanswered: 'trim' | 'keep' | 'reject';
  /**
   * Other fields that stay; all that the conversation was not made of if left out.
   */
  readonly keep?: readonly string[];
}

/**
 * Rows of several inputs (a list) in given proportions, shuffled together; each row's id begins with its input's name. Mixing general data into a small domain set keeps a model from forgetting.
 */
export interface MixOptions {
  /**
   * Share of each input by its name, relative to the sum: { domain: 0.8, general: 0.2 }. Left out, inputs count by their rows.
   */
  readonly weights?: {
    readonly [k: string]: number;
  };
  /**
   * How many rows come out. Left out: as many as the weights allow without a repetition; without weights, all.
   */
  readonly rows?: number;
  /**
   * Most rows of an input, by its name. What it cannot give then comes from the others.
   */
  readonly caps?: {
    readonly [k: string]: number;
  };
  /**
   * Whether an input with fewer rows than are asked of it gives them more than once; with false, that is an error.
   */
  readonly repeat: boolean;
  /**
   * Another seed draws other rows, in another order.
   */
  readonly seed: number;
}

/**
 * Removes near duplicates: rows whose texts share most of their short runs of words are joined, and of all that are joined, directly or through others, one stays. Capitals, punctuation and white space do not count.
 */
export interface NearDedupOptions {
  /**
   * Field to compare, or a list of them, taken together. Left out: `text`, and in rows without it every text they hold. A row without a word in it stays.
   */
  readonly field?: string | readonly string[];
  /**
   * minhash compares which runs of words two texts share (Jaccard similarity). simhash compares 64-bit fingerprints: smaller and faster, and finds only texts that are almost equal.
   */
  readonly method: 'minhash' | 'simhash';
  /**
   * Similarity from which two texts are near duplicates: the share of runs of words that they have in common, 0.8 if left out. It is estimated from 112 hashes: within about 0.04 at 0.8.
   */
  readonly threshold?: number;
  /**
   * Together with `rows`: number of bands in place of the one chosen for the threshold (14 of 8 rows at 0.8). More of them find more pairs and take more time.
   */
  readonly bands?: number;
  /**
   * Together with `bands`: hashes in a band.
   */
  readonly rows?: number;
  /**
   * Of simhash: most bits of 64 in which near duplicates differ, 4 if left out.
   */
  readonly distance?: number;
  /**
   * Length of a run of words, 5 if left out (6 for simhash). In scripts without spaces (Chinese, Japanese, Thai, Khmer ...) each character is a word. A text that is shorter is one run.
   */
  readonly shingle?: number;
  /**
   * Which one stays: the first in order, or the one with the longest text.
   */
  readonly keep: 'first' | 'longest';
}

/**
 * Writes the same thing in the same way: one Unicode form, repaired mojibake, plain line breaks, no odd characters. Each step is an option.
 */
export interface NormalizeOptions {
  /**
   * Field to change, or a list of them; every text of the row if left out, however deep (messages hold theirs in lists). A dot leads into maps and lists: messages.content.
   */
  readonly field?: string | readonly string[];
  /**
   * Repair UTF-8 that was read as Latin-1 or Windows-1252 (cafÃ© is café, donâ€™t is don’t), several times over, too. A sequence that may be clean text stays unless the text around it speaks against it.
   */
  readonly mojibake: boolean;
  /**
   * Unicode normalization form. NFC writes é as one character; NFKC also turns ﬁ into fi, ² into 2 and full-width forms into ASCII, which loses what they meant.
   */
  readonly unicode: 'NFC' | 'NFKC' | 'NFD' | 'NFKD' | 'none';
  /**
   * lf writes every line break (CR LF, CR, NEL, line and paragraph separators, form feeds) as one line feed.
   */
  readonly line_breaks: 'lf' | 'keep';
  /**
   * Remove control characters but for tabs and line feeds, noncharacters and annotation marks.
   */
  readonly control: boolean;
  /**
   * Remove characters of no width: byte order marks, zero-width spaces, soft hyphens, marks of direction. Joiners stay where they shape letters (Persian, Hindi) or emoji, zero-width spaces in Thai and Khmer.
   */
  readonly invisible: boolean;
  /**
   * Write no-break, thin and other odd spaces as plain ones. The ideographic space stays unless width is all.
   */
  readonly spaces: boolean;
  /**
   * The replacement character (U+FFFD), which stands where bytes were lost: keep it, remove it, or reject the row.
   */
  readonly replacement: 'keep' | 'remove' | 'reject';
  /**
   * straight writes curly and angle quotation marks and apostrophes as ' and "; CJK corner brackets stay.
   */
  readonly quotes: 'keep' | 'straight';
  /**
   * hyphen writes dashes and the minus sign as -.
   */
  readonly dashes: 'keep' | 'hyphen';
  /**
   * dots writes … as three full stops.
   */
  readonly ellipsis: 'keep' | 'dots';
  /**
   * letters writes full-width letters and digits as ASCII and half-width kana in their usual width; all does so with full-width marks (，！) and spaces, too.
   */
  readonly width: 'keep' | 'letters' | 'all';
  /**
   * Regular expressions (JavaScript, u flag) of what else is removed: '[^\p{L}\p{N}\s.,?!]' leaves letters, digits and plain marks.
   */
  readonly remove?: string | readonly string[];
  /**
   * Join lines that were broken to fit a page, words with a hyphen at the end of a line included. Paragraphs, list items, quotes and indented lines stay apart.
   */
  readonly unwrap: boolean;
  /**
   * Remove white space at the ends of lines (two spaces there are a line break in Markdown).
   */
  readonly trailing: boolean;
  /**
   * Most blank lines in a row; all of them if left out.
   */
  readonly blank_lines?: number;
  /**
   * Remove white space at both ends of the text.
   */
  readonly trim: boolean;
}

/**
 * Takes personal data and secrets out of texts: e-mail addresses, phone numbers, public IP addresses, card numbers, IBANs, API keys and tokens. They become placeholders such as <EMAIL_3f9a>, are removed, or their rows dropped. Names of people and postal addresses are not found.
 */
export interface PiiOptions {
  /**
   * Field to change, or a list of them; every text of the row if left out, however deep. A dot leads into maps and lists: messages.content.
   */
  readonly field?: string | readonly string[];
  /**
   * What is looked for. ip: addresses of the public internet, private and local ones stay. card and iban: only with a right check digit. key: keys and tokens in the forms of their issuers, private keys, passwords in URLs, random values after names such as api_key.
   */
  readonly kinds: readonly ('email' | 'phone' | 'ip' | 'card' | 'iban' | 'key')[];
  /**
   * More to look for, by a name of yours: regular expressions (JavaScript, u flag). { CUSTOMER: 'C-\d{6}' } gives <CUSTOMER_1b2c>.
   */
  readonly patterns?: {
    readonly [k: string]: string;
  };
  /**
   * replace puts a placeholder in its place, the same for the same value within a row and no other; its four digits are of a hash and do not lead back. remove leaves nothing. drop drops the row.
   */
  readonly action: 'replace' | 'remove' | 'drop';
  /**
   * Another seed gives other placeholders.
   */
  readonly seed: number;
  /**
   * Field for how many of each kind were found in the row, such as { email: 2 }; none is written if left out.
   */
  readonly as?: string;
}

/**
 * Takes the marks of Markdown and HTML off a text and leaves its prose; paragraphs, list items and headings stay apart by a blank line.
 */
export interface PlainTextOptions {
  /**
   * Field that holds the text.
   */
  readonly field: string;
  /**
   * Remove HTML tags, comments, scripts and <pre>; turn character references (&amp;) into characters. What only looks like a tag (a < b, vector<int>) stays.
   */
  readonly html: boolean;
  /**
   * Remove images, with their alternative text.
   */
  readonly images: boolean;
  /**
   * Put the text of a link in its place; remove footnote marks and link definitions.
   */
  readonly links: boolean;
  /**
   * Remove fenced code blocks (``` or ~~~).
   */
  readonly code: boolean;
  /**
   * Treat blocks indented by four columns as code blocks, as Markdown does. Set false for plain text that indents its paragraphs.
   */
  readonly indented_code: boolean;
  /**
   * Treat interactive sessions (from a line that begins with >>> to the next blank line) as code blocks.
   */
  readonly doctest: boolean;
  /**
   * Inline code: unwrap keeps its text without the backticks, so that sentences stay whole; keep leaves it as it stands; strip removes it. What is kept is touched by no other step.
   */
  readonly inline_code: 'unwrap' | 'keep' | 'strip';
  /**
   * Remove tables.
   */
  readonly tables: boolean;
  /**
   * Headings: text takes the marks off and leaves a paragraph of its own; drop removes them; keep leaves one # before the text.
   */
  readonly headings: 'text' | 'drop' | 'keep';
  /**
   * Remove the marks of emphasis, lists, quotes and rules, and paragraphs without a letter or digit. Names such as snake_case and __init__ stay.
   */
  readonly symbols: boolean;
  /**
   * Turn escaped marks (\*) into the characters.
   */
  readonly escapes: boolean;
  /**
   * Remove URLs, and the brackets they leave empty.
   */
  readonly urls: boolean;
  /**
   * Remove file paths (/usr/lib/python3, ./src/a.ts, C:\x\y). Bare names such as setup.py and list.append stay.
   */
  readonly paths: boolean;
  /**
   * Fold the white space of each paragraph to single spaces, on one line.
   */
  readonly whitespace: boolean;
}

/**
 * Drops documents that heuristics for web text call bad: too short, too long, lists, menus, symbols, repetition. The rules are those of Gopher, C4 and FineWeb; each dropped row says which one it broke. Meant for pages and documents, not for short answers.
 */
export interface QualityOptions {
  /**
   * Field that holds the document.
   */
  readonly field: string;
  /**
   * Sets of rules. gopher: 50 to 100,000 words of 3 to 10 characters, most of them with letters, few symbols, bullets and ellipses, two small words of the language. gopher-repetition: little of the text stands in it twice. c4: five sentences, no curly bracket (so no code), no lorem ipsum. fineweb: lines that end as sentences do, few short ones, few twice. What is said of words does not hold for scripts without spaces and is left out there.
   */
  readonly rules: readonly ('gopher' | 'gopher-repetition' | 'c4' | 'fineweb')[];
  /**
   * Bounds in place of those of the rules, or of further measures (see `score`): { words: { min: 20 }, short_lines: null }. null takes a rule out.
   */
  readonly limits?: {
    readonly [k: string]: null | {
      /**
       * Least that passes.
       */
      readonly min?: number;
      /**
       * Greatest that passes.
       */
      readonly max?: number;
    };
  };
  /**
   * sentences first takes off, as C4 does, lines that do not end as sentences, have fewer than three words, or are about JavaScript and cookies; code and lists go with them.
   */
  readonly lines: 'keep' | 'sentences';
  /**
   * Field for what was measured, by name; none is written if left out.
   */
  readonly as?: string;
}

/**
 * Some of the rows, drawn by the seed and each row's id, in the order in which they were drawn.
 */
export interface SampleOptions {
  /**
   * How many; all where there are fewer.
   */
  readonly rows?: number;
  /**
   * Share of the rows, rounded; one row at least.
   */
  readonly share?: number;
  /**
   * Another seed draws other rows.
   */
  readonly seed: number;
}

/**
 * A language model judges some of the rows, drawn by chance; all others pass. Rows that it disagrees with are rejects, and the note beside the result says how many of all rows are likely to be bad. For what was generated, translated or labelled by a machine.
 */
export interface SampleCheckOptions {
  /**
   * Address that /chat/completions stands below: https://api.openai.com/v1, http://localhost:8000/v1. It is not part of the key: the same model at another address gives the answers that are kept.
   */
  readonly endpoint: string;
  /**
   * Sent as a bearer token: "${env:OPENAI_API_KEY}".
   */
  readonly api_key?: string;
  /**
   * Further headers of each request. Values may be ${env:NAME}.
   */
  readonly headers?: {
    readonly [k: string]: string;
  };
  /**
   * Name of the model, as the server knows it.
   */
  readonly model: string;
  /**
   * Anything that tells two models of one name apart. Change it when the server has put another model behind the name: then everything is asked again.
   */
  readonly revision?: string | number;
  /**
   * Requests at a time, over all rows of the build. Nodes that ask the same model at the same address count together.
   */
  readonly concurrency: number;
  /**
   * Most requests within any 60 seconds.
   */
  readonly requests_per_minute?: number;
  /**
   * Most tokens within any 60 seconds, of questions and answers together: estimated before a request, counted after it.
   */
  readonly tokens_per_minute?: number;
  /**
   * Seconds until an answer must be here.
   */
  readonly timeout: number;
  /**
   * How often a request is sent again after trouble that may pass (a time-out, a status of 500 and above), waiting longer each time. A server that says it is busy (429) is asked up to 20 times, when it says. After that the row is rejected, and the next build tries it again.
   */
  readonly retries: number;
  /**
   * Share of the rows that are judged, drawn by the seed and each row's id.
   */
  readonly share: number;
  /**
   * Only rows with this field are judged: `augmented` for the copies that augment made.
   */
  readonly having?: string;
  /**
   * What the judge is asked: a Jinja template over the row's fields (all of them are {{ fields | tojson }}). Left out: whether the row is right, complete and well written.
   */
  readonly prompt?: string;
  /**
   * The system message, a template as well.
   */
  readonly system?: string;
  /**
   * Field that the judge's answer is compared with, capitals and white space aside: the prompt asks for a label or a short answer again. Left out, the judge is asked for a verdict.
   */
  readonly expect?: string;
  /**
   * Share of the judged rows that may be bad; with more, the node fails.
   */
  readonly limit?: number;
  /**
   * How often the judge is told that its verdict cannot be read and asked again.
   */
  readonly repairs: number;
  /**
   * Sampling temperature; the server's own if left out.
   */
  readonly temperature?: number;
  /**
   * Nucleus sampling.
   */
  readonly top_p?: number;
  /**
   * Most tokens of an answer. One that is cut off is rejected.
   */
  readonly max_tokens?: number;
  /**
   * Text, or a list of texts, at which the answer ends.
   */
  readonly stop?: string | readonly string[];
  /**
   * Of reasoning models: low, medium, high, or what the server knows.
   */
  readonly reasoning_effort?: string;
  /**
   * Further members of each request, as the server wants them: { top_k: 40 }.
   */
  readonly body?: {};
  /**
   * Another seed draws other rows.
   */
  readonly seed: number;
  /**
   * Prices of a million tokens, for the cost beside the counts.
   */
  readonly prices?: {
    /**
     * Of questions.
     */
    readonly input: number;
    /**
     * Of answers.
     */
    readonly output: number;
    /**
     * Written before the amount.
     */
    readonly currency: string;
  };
}

/**
 * Writes a number about a text into a field of its own. A `filter` with `where` then keeps rows by it: when its bound moves, nothing is scored again.
 */
export interface ScoreOptions {
  /**
   * Field that is measured.
   */
  readonly field: string;
  /**
   * characters, words: how many. The others are shares between 0 and 1: unique_words, different words among all; punctuation (with symbols) and digits, among all characters; caps, capitals among letters; repetition, runs of three words that stood in the text before. Of documents, as `quality` measures them: mean_word_length; symbols (# and …) for each word; alphabetic_words, those with a letter; stop_words, how many different small words of its language; bullet_lines, ellipsis_lines, ended_lines (by punctuation) and short_lines (under 30 characters) among all lines; line_breaks for each word; sentences, how many; duplicate_lines and duplicate_paragraphs, and the characters in them; top_2gram to top_4gram, characters in the commonest run of words; duplicate_5gram to duplicate_10gram, characters in runs that stood before.
   */
  readonly measure:
    | 'characters'
    | 'words'
    | 'unique_words'
    | 'punctuation'
    | 'digits'
    | 'caps'
    | 'repetition'
    | 'mean_word_length'
    | 'symbols'
    | 'alphabetic_words'
    | 'stop_words'
    | 'bullet_lines'
    | 'ellipsis_lines'
    | 'ended_lines'
    | 'short_lines'
    | 'line_breaks'
    | 'sentences'
    | 'duplicate_lines'
    | 'duplicate_line_characters'
    | 'duplicate_paragraphs'
    | 'duplicate_paragraph_characters'
    | 'top_2gram'
    | 'top_3gram'
    | 'top_4gram'
    | 'duplicate_5gram'
    | 'duplicate_6gram'
    | 'duplicate_7gram'
    | 'duplicate_8gram'
    | 'duplicate_9gram'
    | 'duplicate_10gram';
  /**
   * Field of the number; called as the measure if left out.
   */
  readonly as?: string;
}

/**
 * Removes rows that mean nearly the same: their texts are embedded, by a model of a local folder or by a server, and rows whose vectors point in nearly the same direction are joined. Of all that are joined, directly or through others, one stays. Every embedding is kept, so that another threshold embeds nothing again.
 */
export interface SemanticDedupOptions {
  /**
   * Folder of a model that embeds sentences: tokenizer.json and model.onnx or onnx/model.onnx, as sentence-transformers' repositories on the Hub hold them. Its numbers come from ONNX Runtime on the CPU, one text at a time: they do not depend on the number of workers, and between kinds of processors they differ in the last digits only.
   */
  readonly path?: string;
  /**
   * Field to compare, or a list of them, taken together. Left out: `text`, and in rows without it every text they hold. A row without text stays.
   */
  readonly field?: string | readonly string[];
  /**
   * Cosine from which two texts mean the same. What it means depends on the model: look at what is dropped.
   */
  readonly threshold: number;
  /**
   * Which one stays: the first in order, or the one with the longest text.
   */
  readonly keep: 'first' | 'longest';
  /**
   * Put before each text, as some models want it ("query: ").
   */
  readonly prefix: string;
  /**
   * How a text's vector is made of those of its tokens: their mean, the first one, or the last. Left out: as the folder says (1_Pooling/config.json), else the mean.
   */
  readonly pooling?: 'mean' | 'cls' | 'last';
  /**
   * File of the graph in the folder, where it is neither onnx/model.onnx nor model.onnx: onnx/model_quantized.onnx.
   */
  readonly graph?: string;
  /**
   * Tokens that a text is cut to, where they are fewer than the model can read.
   */
  readonly max_tokens?: number;
  /**
   * Address of a server that /embeddings stands below, in place of a folder: https://api.openai.com/v1. It is not part of the key.
   */
  readonly endpoint?: string;
  /**
   * Sent as a bearer token: "${env:OPENAI_API_KEY}".
   */
  readonly api_key?: string;
  /**
   * Further headers of each request. Values may be ${env:NAME}.
   */
  readonly headers?: {
    readonly [k: string]: string;
  };
  /**
   * Name of the model, as the server knows it.
   */
  readonly model?: string;
  /**
   * Anything that tells two models of one name apart. Change it when the server has put another model behind the name: then everything is asked again.
   */
  readonly revision?: string | number;
  /**
   * Requests at a time, over all rows of the build. Nodes that ask the same model at the same address count together.
   */
  readonly concurrency: number;
  /**
   * Most requests within any 60 seconds.
   */
  readonly requests_per_minute?: number;
  /**
   * Most tokens within any 60 seconds, of questions and answers together: estimated before a request, counted after it.
   */
  readonly tokens_per_minute?: number;
  /**
   * Seconds until an answer must be here.
   */
  readonly timeout: number;
  /**
   * How often a request is sent again after trouble that may pass (a time-out, a status of 500 and above), waiting longer each time. A server that says it is busy (429) is asked up to 20 times, when it says. After that the row is rejected, and the next build tries it again.
   */
  readonly retries: number;
  /**
   * Length of the vectors, of models that can be asked for shorter ones.
   */
  readonly dimensions?: number;
  /**
   * Texts in a request.
   */
  readonly batch: number;
  /**
   * Price of a million tokens, for the cost beside the counts.
   */
  readonly prices?: {
    /**
     * Of texts.
     */
    readonly input: number;
    /**
     * Of answers: embeddings have none.
     */
    readonly output: number;
    /**
     * Written before the amount.
     */
    readonly currency: string;
  };
}

/**
 * Makes an instruction and its response of two neighbouring sentences of one parent: documentation states a thing, then explains it.
 */
export interface SentencePairsOptions {
  /**
   * Field that holds the sentence.
   */
  readonly field: string;
  /**
   * Limits of the instruction, in characters.
   */
  readonly instruction: {
    /**
     * Fewest characters.
     */
    readonly min: number;
    /**
     * Most characters.
     */
    readonly max: number;
  };
  /**
   * Limits of the response, in characters.
   */
  readonly response: {
    /**
     * Fewest characters.
     */
    readonly min: number;
    /**
     * Most characters.
     */
    readonly max: number;
  };
  /**
   * What becomes of a sentence over the maximum: drop makes no pair of it; cut keeps its first words (a model trained on them learns to stop in mid-sentence).
   */
  readonly over: 'drop' | 'cut';
  /**
   * Whether the response of one pair may be the instruction of the next.
   */
  readonly overlap: boolean;
}

/**
 * Splits a text into its sentences, one row each, below the row they come from. Knows abbreviations, decimals, versions, file names, ellipses, quotes and CJK punctuation; a blank line ends a sentence.
 */
export interface SentencesOptions {
  /**
   * Field that holds the text; the sentences have it under the same name.
   */
  readonly field: string;
  /**
   * Other fields that each sentence takes over, such as title.
   */
  readonly carry: readonly string[];
}

/**
 * Puts the rows in an order drawn by the seed and each row's id: a row that is added stands somewhere among the others, and they keep their order.
 */
export interface ShuffleOptions {
  /**
   * Another seed draws another order.
   */
  readonly seed: number;
}

/**
 * Deals rows to sides named by you, such as train and eval, so that what belongs together stays on one side. Each option besides `seed` and `by` is the name of a side with its share: train: 0.9, eval: 0.1.
 */
export interface SplitOptions {
  /**
   * Another seed deals the groups anew.
   */
  readonly seed: number;
  /**
   * What stays together. row: nothing. parent: rows cut from the same row (a section). document: rows of the same file or record. component: rows that share a parent or any equal sentence, so that no sentence stands on both sides. {field: name}: rows with an equal value. {component: [names]}: as component, but of these fields only, whatever they hold (for data in which a sentence is constant, such as a system prompt).
   */
  readonly by:
    | ('row' | 'parent' | 'document' | 'component')
    | {
        /**
         * Field whose value is the group.
         */
        readonly field: string;
      }
    | {
        /**
         * Fields whose equal values tie rows together.
         *
         * @minItems 1
         */
        readonly component: readonly string[];
      };
  /**
   * Share of this side, relative to the sum of all shares.
   *
   * This interface was referenced by `SplitOptions`'s JSON-Schema definition
   * via the `patternProperty` "^(?!(?:seed|by)$)[a-z][a-z0-9_-]*$".
   */
  readonly [k: string]:
    | number
    | 'row'
    | 'parent'
    | 'document'
    | 'component'
    | {
        /**
         * Field whose value is the group.
         */
        readonly field: string;
      }
    | {
        /**
         * Fields whose equal values tie rows together.
         *
         * @minItems 1
         */
        readonly component: readonly string[];
      };
}

/**
 * How many rows there are, how many of them equal an earlier one, and how long their texts are in characters, words and, with a model, tokens: least, median, mean, 95th percentile, greatest, and a histogram; on request in which languages. Of conversations it tells each role apart. `finetune show` prints all of it.
 */
export interface StatsOptions {
  /**
   * Field to measure, or a list of them; every field that holds a text, a list of texts or a conversation if left out. A dot leads into maps and lists: messages.content. Median and percentile are exact up to 255, and within 0.4 % above.
   */
  readonly field?: string | readonly string[];
  /**
   * Also count the languages of the texts (ISO 639-1 codes, und for texts too short to tell). It takes longer than all the rest.
   */
  readonly languages: boolean;
}

/**
 * Unifies terms by a glossary: every variant of a term becomes the term, so that one thing has one name in all of the data.
 */
export interface TermsOptions {
  /**
   * Terms with their variants: { fine-tuning: [finetuning, fine tuning], GPU: graphics card }. A term without variants (null) unifies its capitals.
   */
  readonly terms?: {
    readonly [k: string]: string | readonly string[] | null;
  };
  /**
   * File with more terms: YAML or JSON (a map as in terms, or a list of {term, variants}), or CSV with a header, the term in the first column and its variants in the others.
   */
  readonly file?: string;
  /**
   * Field to change, or a list of them; every text of the row if left out, however deep. A dot leads into maps and lists: messages.content.
   */
  readonly field?: string | readonly string[];
  /**
   * Take capitals and small letters as equal. A term in small letters keeps the capital of what it replaces at the beginning of a sentence.
   */
  readonly ignore_case: boolean;
  /**
   * Find variants as whole words only; in scripts without spaces (Chinese, Japanese, Thai), and before Korean particles, anywhere.
   */
  readonly whole_words: boolean;
  /**
   * Field for how often each term was put in place of a variant, such as { GPU: 2 }; none is written if left out.
   */
  readonly as?: string;
}

/**
 * Renders conversations in the model's chat format: token ids and an exact loss mask. Says what share of the tokens is trained; 0 % and 100 % fail.
 */
export interface ChatOptions {
  /**
   * harmony: gpt-oss's format. chatml (Qwen and many others), llama3, gemma, mistral: those of the families. All five are rendered here, for vocabularies with their special tokens. alpaca: plain text under headings, for any model. tokenizer: the chat template that the model brings (chat_template.jinja or tokenizer_config.json). jinja: the file in `template`.
   */
  readonly format: 'harmony' | 'chatml' | 'llama3' | 'gemma' | 'mistral' | 'alpaca' | 'tokenizer' | 'jinja';
  /**
   * Jinja file for `format: jinja`, as Hugging Face templates are written; {% generation %} blocks mark what carries loss.
   */
  readonly template?: string;
  /**
   * Field with the list of messages: role, content, and optionally thinking, tool_calls, name, channel, train (false: no loss). Beside it a row may have `tools` and `response_format`, in OpenAI's shapes.
   */
  readonly messages: string;
  /**
   * Field with the user's text, for rows without messages.
   */
  readonly user: string;
  /**
   * Field with the assistant's text, for rows without messages.
   */
  readonly assistant: string;
  /**
   * Field with what the user's text is about, for rows without messages; rows may lack it. Alpaca gives it a heading of its own (and reads `input` without this option), elsewhere it follows behind a blank line.
   */
  readonly input?: string;
  /**
   * Field with the reasoning before the assistant's text, for rows without messages; rows may lack it.
   */
  readonly thinking: string;
  /**
   * Instructions for conversations that bring no system or developer message of their own: Harmony's developer message, elsewhere a system message.
   */
  readonly developer?: string;
  /**
   * JSON file with the functions that the assistant may call, for rows that bring no `tools` of their own: a list in OpenAI's shape. Harmony and ChatML render them; so does a Jinja template that can.
   */
  readonly tools?: string;
  /**
   * JSON file that says how answers must look, for rows that bring no `response_format` of their own: {name, description, schema}, alone or as OpenAI's json_schema. Harmony tells it to the model; answers that are not JSON are rejected.
   */
  readonly response_format?: string;
  /**
   * Harmony as openai/harmony renders it (vLLM's chat does), or as the Jinja template published with gpt-oss does (transformers).
   */
  readonly dialect: 'harmony' | 'hf';
  /**
   * The current date as the samples tell it, YYYY-MM-DD. Harmony leaves the line out without it; `dialect: hf` and templates that write the date need it.
   */
  readonly date?: string;
  /**
   * Reasoning effort in the system message (a template's reasoning_effort).
   */
  readonly reasoning: 'low' | 'medium' | 'high';
  /**
   * Knowledge cutoff in Harmony's system message.
   */
  readonly knowledge_cutoff: string;
  /**
   * First line of Harmony's system message (a template's model_identity).
   */
  readonly model_identity: string;
  /**
   * Which reasoning a sample leaves out. history: what the model did not see any more when it gave the last answer (Harmony: before the first final one; ChatML: before the last user message); the last answer keeps its own. always: in Harmony, openai/harmony's rule on the whole sample, so a single answer loses its reasoning; elsewhere all of it, which formats without a place for reasoning need. never: none. `dialect: hf` has its own rule.
   */
  readonly drop_analysis: 'history' | 'always' | 'never';
  /**
   * Which tokens carry loss. Messages with `train: false` never do.
   */
  readonly loss: {
    /**
     * Channels whose content carries loss; the token that ends such a message does too. In ChatML <think> is analysis, and a message with calls is commentary; in Llama 3, Gemma, Mistral and Alpaca all is final.
     *
     * @minItems 1
     */
    readonly channels: readonly ('analysis' | 'commentary' | 'final')[];
    /**
     * Also train the headers that the model writes itself, such as <|channel|>final<|message|>. Off, the model keeps its habit of when to think; on, rows without reasoning teach it to answer at once. Headers of tool calls always count: the function's name stands there. Other formats have no headers that the model writes.
     */
    readonly headers: boolean;
    /**
     * Only the turn after the last user message carries loss.
     */
    readonly last_only: boolean;
  };
  /**
   * Longest sample, in tokens. Without it the model's max_position_embeddings.
   */
  readonly max_tokens?: number;
  /**
   * What happens to a longer sample: it goes to the rejects, is cut at the end (rejected if no trained token is left), or fails the node.
   */
  readonly over: 'reject' | 'truncate' | 'error';
}

/**
 * Trains a LoRA adapter (PEFT's format) on the rows of a template, by next-token loss over the tokens marked as trained.
 */
export interface LoraOptions {
  /**
   * What trains. embedded: ONNX Runtime on the CPU, needs nothing else; Llama, Mistral without a window, Qwen2, Qwen3. cuda: PyTorch on a GPU (on the CPU where there is none); the same families, Mistral's window, and gpt-oss.
   */
  readonly backend: 'embedded' | 'cuda';
  /**
   * Rank of the adapter's factors.
   */
  readonly r: number;
  /**
   * Strength: the adapter's product counts alpha / r times.
   */
  readonly alpha: number;
  /**
   * Dropout on the adapter's input. The embedded backend trains without.
   */
  readonly dropout: number;
  /**
   * Rank-stabilised LoRA: the product counts alpha / sqrt(r) times. llama.cpp ignores it.
   */
  readonly rslora: boolean;
  /**
   * Matrices that get an adapter, in every layer. gpt-oss's experts have gate_up_proj and down_proj.
   *
   * @minItems 1
   */
  readonly targets: readonly ('q_proj' | 'k_proj' | 'v_proj' | 'o_proj' | 'gate_proj' | 'up_proj' | 'down_proj' | 'gate_up_proj')[];
  /**
   * Optimiser steps; goes through the rows again where needed. Instead of epochs.
   */
  readonly steps?: number;
  /**
   * How often each row is seen. 1 if neither steps nor epochs is given.
   */
  readonly epochs?: number;
  /**
   * Rows per optimiser step.
   */
  readonly batch: number;
  /**
   * Rows in one run of the model; auto: as many as fit. Changes memory and speed, not the loss.
   */
  readonly micro_batch: 'auto' | number;
  /**
   * Of the model's numbers while it trains, backend cuda: bf16 where there is a GPU, else float32.
   */
  readonly precision?: 'auto' | 'bf16' | 'float32';
  /**
   * What is made again instead of kept for the backward pass, backend cuda. none: nothing; selective: the inside of experts or of the gated block; full: all but each layer's input. Less memory, more time, the same numbers.
   */
  readonly checkpointing?: 'none' | 'selective' | 'full';
  /**
   * Products with frozen experts in float8, backend cuda: faster, and rounded. MXFP4's weights stay exact.
   */
  readonly fp8?: boolean;
  /**
   * Only operations that give the same bits each time on the same device and versions, backend cuda.
   */
  readonly deterministic?: boolean;
  /**
   * When a GPU's memory does not suffice, backend cuda: fail, or retry the step in smaller runs.
   */
  readonly on_oom?: 'fail' | 'retry';
  /**
   * Highest learning rate.
   */
  readonly lr: number;
  /**
   * How the learning rate falls after the warm-up: linear to zero, half a cosine to zero, or not at all.
   */
  readonly scheduler: 'linear' | 'cosine' | 'constant';
  /**
   * Steps over which the learning rate rises; below 1: a share of all steps.
   */
  readonly warmup: number;
  /**
   * AdamW's weight decay.
   */
  readonly weight_decay: number;
  /**
   * Gradients are scaled down to this norm; 0: never.
   */
  readonly max_grad_norm: number;
  /**
   * AdamW's decay of the mean gradient.
   */
  readonly beta1: number;
  /**
   * AdamW's decay of the squared gradient.
   */
  readonly beta2: number;
  /**
   * AdamW's epsilon.
   */
  readonly eps: number;
  /**
   * Decides the adapter's start and the order of the rows.
   */
  readonly seed: number;
  /**
   * A checkpoint every so many steps (0: only when stopped); a killed training continues from the last one.
   */
  readonly save_steps: number;
  /**
   * Measures the loss on the eval rows every so many steps, besides before and after (0: only then).
   */
  readonly eval_steps: number;
  /**
   * Reports every so many steps.
   */
  readonly log_steps: number;
}

/**
 * Answers of the base model and of the model with the adapter to the same prompts, side by side.
 */
export interface GenerateOptions {
  /**
   * What runs the model. embedded: ONNX Runtime on the CPU, needs nothing else.
   */
  readonly backend: 'embedded';
  /**
   * YAML or JSON file: a list of texts, of {user, system}, or of {messages: [{role, content}]}; the last two may have tools and response_format, as rows of the template chat.
   */
  readonly prompts: string;
  /**
   * Reasoning effort in the system message; a list asks each prompt with each.
   */
  readonly reasoning: ('low' | 'medium' | 'high') | readonly ('low' | 'medium' | 'high')[];
  /**
   * Chat format, as in the template chat: one of the families' (harmony, chatml, llama3, gemma, mistral, alpaca), the model's own (tokenizer), or a Jinja file (jinja).
   */
  readonly format: 'harmony' | 'chatml' | 'llama3' | 'gemma' | 'mistral' | 'alpaca' | 'tokenizer' | 'jinja';
  /**
   * Jinja file for `format: jinja`.
   */
  readonly template?: string;
  /**
   * Harmony as openai/harmony renders it, or as the Jinja template published with gpt-oss does.
   */
  readonly dialect: 'harmony' | 'hf';
  /**
   * Instructions for prompts that bring none of their own.
   */
  readonly developer?: string;
  /**
   * The current date as the prompts tell it, YYYY-MM-DD; the clock is never read.
   */
  readonly date?: string;
  /**
   * Knowledge cutoff in Harmony's system message.
   */
  readonly knowledge_cutoff: string;
  /**
   * First line of Harmony's system message.
   */
  readonly model_identity: string;
  /**
   * Longest answer, in tokens.
   */
  readonly max_tokens: number;
  /**
   * 0: the likeliest token, always. Above: how freely the model chooses.
   */
  readonly temperature: number;
  /**
   * With a temperature: only the likeliest tokens that hold this share of the probability.
   */
  readonly top_p: number;
  /**
   * Above 1, tokens that were there already become less likely.
   */
  readonly repetition_penalty: number;
  /**
   * Decides the draws.
   */
  readonly seed: number;
  /**
   * Texts that end an answer, besides the model's own stop tokens.
   */
  readonly stop: readonly string[];
}

/**
 * Mean loss per trained token (nats) and perplexity of the base model and of the model with the adapter, over the same rows.
 */
export interface LossOptions {
  /**
   * What runs the model. embedded: ONNX Runtime on the CPU, needs nothing else.
   */
  readonly backend: 'embedded';
}
