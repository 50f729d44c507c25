const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
function words(seed) {
  const counts = new Map();
  for (let i = 0; i < 3000; i++) counts.set('word' + i * seed % 300, i);
  return counts.size;
}
if (isMainThread) {
  const all = [7].map(seed => new Promise(done => new Worker(__filename, { workerData: seed }).on('message', done)));
  Promise.all(all).then(sizes => {
    console.log(sizes.join(' '), require('child_process').execSync('echo child').toString().trim());
    process.exitCode = 9;
  });
} else parentPort.postMessage(words(workerData));
