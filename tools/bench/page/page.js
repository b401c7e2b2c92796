'use strict';

// The page is made from the data that it carries: {"reports": [{"label", ...}], "comparisons"}.
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const page = document.getElementById('page');
  const compares = data.reports.length > 1;

  const MEANINGS_OF_BENCHMARKS = {
    fillseq: 'Writes keys once, in their order, into an empty store.',
    fillrandom: 'Writes as many records as there are keys, each under a random key, into an empty store. Some keys are written more than once, and about a third of them never.',
    filluniquerandom: 'Writes all keys once, in random order, into an empty store.',
    fillbatch: 'Writes keys once, many in each call, into an empty store.',
    fillsync: 'Writes records of which each must survive a power cut before the next one begins.',
    overwrite: 'Writes to random keys, most of which are there already. A store that appends must clear away what it replaces.',
    churn: 'Makes four times as many overwrites as there are keys, so that the store has to clear away what it replaces while it is measured.',
    readrandom: 'Reads random keys. How many of them were there is said below.',
    readmissing: 'Looks for keys that are not there.',
    multireadrandom: 'Reads many random keys in each call.',
    readseq: 'Reads records one after the other, in the order of their keys if the store has one.',
    seekrandom: 'Looks for the first key from a random one on, and reads as many records from there as --seek_nexts says, and one.',
    readwhilewriting: 'Reads random keys while another thread writes.',
    snapshots: 'Overwrites while snapshots are taken, held and released. A snapshot is a view of one moment, which must not change.',
    deleterandom: 'Deletes random keys.',
    queue: 'Removes the first key and adds one behind the last, again and again, as a queue does.',
    compact: 'Lets the store clear away all that is not needed any more.',
    open: 'Closes the store, and measures how long opening it takes.',
    openunclean: 'Opens the store after a process that wrote to it has ended without closing it.',
    close: 'Closes the store. Its write amplification is that of all writes since the store was empty, and is the one to compare.',
    load: 'Fills the store for the workloads that follow.',
    a: 'YCSB A: half reads, half updates, some keys far more often than others.',
    b: 'YCSB B: 95 % reads, 5 % updates, some keys far more often than others.',
    c: 'YCSB C: reads only, of some keys far more often than of others.',
    d: 'YCSB D: 95 % reads, most of them of what was inserted lately.',
    e: 'YCSB E: short scans, and some inserts.',
    f: 'YCSB F: reads, and updates that read first.',
  };
  const WORDS = [
    ['Operation', 'The reading, writing or deleting of one record. A batch of 1,000 records counts as 1,000 operations, but as one call in the latencies.'],
    ['Median', 'Of the rounds, the one in the middle: half were faster, half slower. Below it stand the slowest and the fastest round. Where the ranges of two stores overlap, their order may be chance.'],
    ['p50, p99, p99.9', 'Of 100 calls, 50 (or 99) took at most so long; of 1,000, 999. A store with a good p50 and a bad p99.9 is fast, and now and then it makes you wait. Unless --sample says otherwise one call in 8 is timed; the figures are of all rounds together.'],
    ['Service time', 'From the beginning of a call to its end. The next call begins only then, so that a stall counts for a single call, however long it is.'],
    ['Response time', 'With --target: from the moment at which the call should have begun. A stall counts for all calls that it delays, as it does for your users.'],
    ['CPU time', 'Of all threads of the process together, those in the background included, for one operation.'],
    ['Memory per key', 'What the process has taken for itself while it held so many keys. What the system keeps of files to read them faster is not counted.'],
    ['Space amplification', 'Bytes that the store takes on the disk for one byte of keys and values that are still there. With 1.5, a third of them are what was overwritten, indexes, and space that is kept ready for what will be written. The last weighs in small stores.'],
    ['Write amplification', 'Bytes that the system was given to write for one byte of keys and values that the program wrote. It tells how fast a store wears out a disk. Stores may write later what a benchmark has caused, so compare it in the line of close. Not all kernels count it.'],
    ['Steady', 'The last quarter of the time of a benchmark is compared with the one before. What is not steady would have given other figures in a longer run. What is steady may still change later: a fill has nothing to clear away yet, which churn has.'],
    ['nothing, yardstick', 'No stores, but measures for them. The first does nothing, and shows what the benchmark itself takes. The second is a plain hash table and a file, without recovery, and shows what a store can hardly surpass.'],
  ];
  const PERCENTILES = ['p50', 'p90', 'p99', 'p99.9', 'p99.99', 'max'];

  // ---- text ----

  const digits = (x) => new Intl.NumberFormat('en', {maximumSignificantDigits: 3}).format(x);
  const orDash = (x, unit = '') => (x === null || x === undefined ? '–' : digits(x) + unit);
  const scaled = (x, units) => {
    const [size, name] = units.find(([least]) => Math.abs(x) >= least) || units[units.length - 1];
    return digits(x / size) + name;
  };
  const time = (ns) => scaled(ns, [[1e9, ' s'], [1e6, ' ms'], [1e3, ' µs'], [1, ' ns']]);
  const count = (x) => scaled(x, [[1e9, ' G'], [1e6, ' M'], [1e3, ' k'], [1, '']]);
  const bytes = (x) => (x === null || x === undefined ? '–' : scaled(x, [[1 << 30, ' GiB'], [1 << 20, ' MiB'], [1 << 10, ' KiB'], [1, ' B']]));

  // ---- elements ----

  const add = (parent, tag, text, className) => {
    const element = parent.appendChild(document.createElement(tag));
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };
  const table = (parent, heads) => {
    const made = add(add(parent, 'div', undefined, 'scrolls'), 'table');
    const row = add(add(made, 'thead'), 'tr');
    for (const head of heads) add(row, 'th', head);
    return add(made, 'tbody');
  };
  const facts = (parent, pairs, className) => {
    if (pairs.length === 0) return;
    const list = add(parent, 'dl', undefined, className);
    for (const [name, value] of pairs) {
      add(list, 'dt', name);
      add(list, 'dd', value);
    }
  };
  const color = (result) => getComputedStyle(document.documentElement).getPropertyValue(`--series-${result.hue}`).trim();
  const background = (result) => `var(--series-${result.hue})`;
  const swatch = (cell, result) => { add(cell, 'span', undefined, 'swatch').style.background = background(result); };

  // ---- results ----

  const HUES = 8;
  const stores = [...new Set(data.reports.flatMap((report) => report.systems.map((system) => system.name)))];
  const labelOf = (store, report) => (compares ? `${store}, ${report.label}` : store);
  const systems = stores.flatMap((store) => data.reports
    .filter((report) => report.systems.some((system) => system.name === store))
    .map((report) => labelOf(store, report)));
  const benchmarks = [];
  for (const report of data.reports) {
    for (const result of report.results) {
      const store = stores.indexOf(result.system);
      result.label = labelOf(result.system, report);
      result.hue = store % HUES;
      result.dashed = report.label === 'before' || store >= HUES;
      let known = benchmarks.find((one) => one.name === result.benchmark);
      if (!known) benchmarks.push(known = {name: result.benchmark, results: []});
      known.results.push(result);
    }
  }
  for (const benchmark of benchmarks) {
    benchmark.results.sort((a, b) => systems.indexOf(a.label) - systems.indexOf(b.label));
  }
  const done = (result) => result.summary !== undefined;
  const speed = (result) => result.summary.ops_per_second || result.summary.seconds;
  const calls = (result) => result.summary.response_ns || result.summary.service_ns;
  const isTime = (result) => result.summary.seconds !== undefined;
  const speedText = (result, x) => (isTime(result) ? time(x * 1e9) : `${count(x)}/s`);
  const best = (results) => {
    // These two keep no promises.
    const ready = results.filter((result) => done(result) && !['nothing', 'yardstick'].includes(result.system));
    if (ready.length < 2) return null;
    const better = (a, b) => (isTime(a) ? speed(a).median < speed(b).median : speed(a).median > speed(b).median);
    return ready.reduce((a, b) => (better(b, a) ? b : a));
  };
  // The round whose speed is nearest to the median, which stands for all in the charts over time.
  const middleRound = (result) => {
    const rate = (round) => (isTime(result) ? round.seconds : round.operations / round.seconds);
    const distance = (round) => Math.abs(rate(round) - speed(result).median);
    return result.rounds.reduce((a, b) => (distance(b) < distance(a) ? b : a));
  };
  const failed = (result) => result.rounds.some((round) => round.outcome === 'failed');

  // ---- charts ----

  const charts = [];  // functions that draw one, called again when the colours change
  const chart = (parent, title, options, values) => {
    add(parent, 'h3', title);
    const box = add(parent, 'div', undefined, 'chart');
    let plot = null;
    const width = () => Math.max(200, box.clientWidth);
    const draw = () => {
      if (plot) plot.destroy();
      const style = getComputedStyle(document.documentElement);
      const axis = {
        stroke: style.getPropertyValue('--faint'),
        grid: {stroke: style.getPropertyValue('--line'), width: 1},
        ticks: {stroke: style.getPropertyValue('--line'), width: 1},
      };
      const made = options();
      plot = new uPlot({
        width: width(), height: 260, cursor: {hover: {prox: 30}}, ...made,
        axes: made.axes.map((one) => ({...axis, ...one, grid: {...axis.grid, ...one.grid},
          ticks: {...axis.ticks, ...one.ticks}})),
      }, values, box);
    };
    charts.push(draw);
    draw();
    // Not at once: what a chart does to its surroundings would be observed again.
    new ResizeObserver(() => requestAnimationFrame(() => {
      if (plot.width !== width()) plot.setSize({width: width(), height: 260});
    })).observe(box);
  };
  const lines = (results, format) => results.map((result) => ({
    label: result.label, stroke: color(result), width: 2, dash: result.dashed ? [6, 4] : [], spanGaps: true,
    value: (plot, x) => (x == null ? '' : format(x)),
  }));
  const decades = (plot, ys) => ys.map((y) => (Math.log10(y) % 1 === 0 ? y : null));

  const speedOverTime = (parent, results) => {
    const timed = results.filter((result) => done(result) && !isTime(result));
    if (timed.length === 0) return;
    const points = (result) => middleRound(result).timeline || [];
    const shown = timed.filter((result) => points(result).length > 2);
    const missing = timed.filter((result) => !shown.includes(result));
    const box = add(parent, 'div');
    const series = shown.map((result) => {
      const xs = [];
      const ys = [];
      let [began, before] = [0, 0];
      for (const [ended, after] of points(result)) {
        // What is left at the end may be too short for a rate.
        if (ended - began < 0.1) continue;
        xs.push(ended);
        ys.push((after - before) / (ended - began));
        [began, before] = [ended, after];
      }
      return [xs, ys];
    });
    if (shown.length > 0) chart(box, 'Operations per second, while it ran', () => ({
      scales: {x: {time: false}, y: {range: (plot, least, most) => [0, most > 0 ? most * 1.05 : 1]}},
      axes: [{values: (plot, xs) => xs.map((x) => `${digits(x)} s`)}, {size: 64, values: (plot, ys) => ys.map(count)}],
      series: [{label: 'after', value: (plot, x) => (x == null ? '' : `${x.toFixed(1)} s`)}, ...lines(shown, (x) => `${count(x)}/s`)],
    }), uPlot.join(series));
    if (missing.length > 0) {
      add(box, 'p', `Too short for a chart over time: ${missing.map((result) => result.label).join(', ')}.`, 'faint');
    }
  };
  const latencies = (parent, results) => {
    const shown = results.filter((result) => done(result) && !isTime(result) && calls(result).max > 0);
    if (shown.length === 0) return;
    const values = [PERCENTILES.map((name, i) => i),
      ...shown.map((result) => PERCENTILES.map((name) => Math.max(1, calls(result)[name])))];
    const title = shown[0].summary.response_ns ? 'Response time of calls' : 'Service time of calls';
    chart(add(parent, 'div'), `${title}, from the typical to the slowest`, () => ({
      scales: {x: {time: false, range: [-0.3, PERCENTILES.length - 0.7]}, y: {distr: 3}},
      axes: [
        {splits: () => values[0], values: (plot, xs) => xs.map((x) => PERCENTILES[x])},
        {size: 64, filter: decades, grid: {filter: decades}, ticks: {filter: decades},
          values: (plot, ys) => ys.map((y) => (y === null ? '' : time(y)))},
      ],
      series: [{label: 'of calls', value: (plot, x) => PERCENTILES[x] || ''}, ...lines(shown, time)],
    }), values);
  };

  // ---- the page ----

  const head = () => {
    document.title = compares ? 'Two benchmark runs compared' : `Benchmark of ${systems.join(', ')}`;
    add(page, 'h1', document.title);
    for (const report of data.reports) {
      if (compares) add(page, 'h3', report.label);
      add(page, 'p', report.date, 'faint');
      add(page, 'pre', `$ ${report.command}`);
      const how = add(page, 'details');
      add(how, 'summary', 'On which machine, how, and with which options');
      facts(how, Object.entries(report.machine));
      add(how, 'h3', 'Work');
      facts(how, Object.entries(report.settings));
      for (const system of report.systems) {
        add(how, 'h3', system.name);
        facts(how, [['library', system.library], ['assertions of the library', system.assertions],
          ['options', system.options], ['unsynced writes', system.durability]]);
      }
    }
  };

  const verdicts = () => {
    if (!data.comparisons) return;
    add(page, 'h2', 'What changed');
    add(page, 'p', `The change is that of the median, and a minus means worse. Better and worse are said of what changed by more than ${digits(100 * data.threshold)} % and where the ranges from the slowest to the fastest round, in brackets, do not overlap; what worked before and fails now is worse as well. What is done once a round is not judged.`);
    if (data.machines_differ) add(page, 'p', `The machines differ: ${data.machines_differ}`, 'worse');
    const body = table(page, ['Benchmark', 'Store', 'Verdict', 'Change', 'Before', 'After', 'Unit']);
    const band = (one) => `${digits(one.median)} (${digits(one.min)} to ${digits(one.max)})`;
    for (const one of data.comparisons) {
      const row = add(body, 'tr');
      add(row, 'td', one.benchmark);
      add(row, 'td', one.system);
      add(row, 'td', one.verdict, one.verdict === 'better' ? 'better' : one.verdict === 'WORSE' ? 'worse' : '');
      // Without a minus before 0.
      const change = Math.round(1000 * one.change) / 10 + 0;
      add(row, 'td', one.figure ? `${change > 0 ? '+' : ''}${digits(change)} %` : '–');
      add(row, 'td', one.figure ? band(one.before) : '–');
      add(row, 'td', one.figure ? band(one.after) : '–');
      add(row, 'td', one.figure);
    }
  };

  const overview = () => {
    if (systems.length < 2 || benchmarks.length < 2) return;
    add(page, 'h2', 'Side by side');
    add(page, 'p', 'The median speed of each store. The best of a row is bold.');
    const body = table(page, ['', ...systems]);
    for (const benchmark of benchmarks) {
      const row = add(body, 'tr');
      add(row, 'td', benchmark.name);
      const first = best(benchmark.results);
      systems.forEach((name) => {
        const result = benchmark.results.find((one) => one.label === name);
        if (!result || done(result)) {
          add(row, 'td', result ? speedText(result, speed(result).median) : '–', result && result === first ? 'best' : '');
        } else {
          add(row, 'td', failed(result) ? 'failed' : 'not supported', failed(result) ? 'worse' : '');
        }
      });
    }
  };

  const details = (benchmark) => {
    add(page, 'h2', benchmark.name);
    const meaning = MEANINGS_OF_BENCHMARKS[benchmark.name.replace(/ \d+$/, '')];
    if (meaning) add(page, 'p', meaning, 'faint');
    const ready = benchmark.results.filter(done);
    const first = best(benchmark.results);
    const single = ready.some(isTime);
    const body = table(page, ['', single ? 'Time' : 'Operations per second', 'p50', 'p99', 'p99.9', 'Slowest timed call',
      'CPU time', 'Memory per key', 'Space amplification', 'Write amplification']);
    const most = Math.max(...ready.map((result) => speed(result).median));
    const remarks = [];
    for (const result of benchmark.results) {
      const row = add(body, 'tr');
      const name = add(row, 'td');
      swatch(name, result);
      add(name, 'span', result.label);
      if (!done(result)) {
        add(row, 'td', result.remark, 'words').colSpan = 9;
        continue;
      }
      const summary = result.summary;
      const cell = add(row, 'td', undefined, 'speed');
      add(cell, 'div', speedText(result, speed(result).median), result === first ? 'best' : '');
      const bar = add(cell, 'div', undefined, 'bar');
      bar.style.width = `${most > 0 ? 100 * speed(result).median / most : 0}%`;
      bar.style.background = background(result);
      if (result.rounds.length > 1) {
        add(cell, 'div', `${speedText(result, speed(result).min)} to ${speedText(result, speed(result).max)}`, 'band');
      }
      for (const percentile of ['p50', 'p99', 'p99.9', 'max']) {
        add(row, 'td', single || calls(result).max === 0 ? '–' : time(calls(result)[percentile]));
      }
      add(row, 'td', summary.cpu_ns_per_op === null || single ? '–' : time(summary.cpu_ns_per_op));
      add(row, 'td', bytes(summary.memory_bytes_per_key));
      add(row, 'td', orDash(summary.space_amplification));
      add(row, 'td', orDash(summary.write_amplification));
      const said = single || result.remark.includes(result.steadiness) ? [] : [result.steadiness];
      if (result.remark) said.push(result.remark);
      const text = said.join('; ');
      const same = remarks.find(([labels, known]) => known === text);
      if (same) {
        same[0].push(result.label);
      } else if (text) {
        remarks.push([[result.label], text]);
      }
    }
    facts(page, remarks.map(([labels, text]) => [
      labels.length > 1 && labels.length === benchmark.results.length ? 'all' : labels.join(', '), text,
    ]), 'remarks');
    if (typeof uPlot === 'undefined') return;
    const both = add(page, 'div', undefined, 'charts');
    speedOverTime(both, benchmark.results);
    latencies(both, benchmark.results);
  };

  head();
  verdicts();
  overview();
  for (const benchmark of benchmarks) details(benchmark);
  add(page, 'h2', 'Words');
  facts(page, WORDS, 'meanings');
  if (typeof uPlot === 'undefined') {
    add(page, 'p', 'There are no charts, as this program was built where npm could not bring uPlot.', 'faint');
  }
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => charts.forEach((draw) => draw()));
})();
