const form = document.querySelector('#ask')

/** Asks one function, and shows what it says and how long it took. */
async function ask(row, word) {
  const [output, time] = [row.querySelector('output'), row.querySelector('small')]
  const started = performance.now()
  row.classList.remove('failed')
  output.textContent = '…'
  try {
    const response = await fetch(`${row.dataset.path}?word=${encodeURIComponent(word)}`)
    if (!response.ok) throw new Error(`answered ${response.status}`)
    const { answer } = await response.json()
    output.textContent = typeof answer === 'string' ? answer : JSON.stringify(answer)
  } catch (error) {
    row.classList.add('failed')
    output.textContent = `This function ${error.message}.`
  }
  time.textContent = `${Math.round(performance.now() - started)} ms`
}

form.addEventListener('submit', (event) => {
  event.preventDefault()
  for (const row of document.querySelectorAll('#answers li')) void ask(row, form.word.value)
})
