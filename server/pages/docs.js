// On the page of the contract: curl lines name the host that the reader is on, and can be copied.
// Without this script they name the default address, and stand to be copied by hand.

const HERE = document.baseURI.replace(/\/docs(?:[?#].*)?$/, '');

for (const pre of document.querySelectorAll('pre.sample')) {
  const code = pre.firstElementChild;
  code.textContent = code.textContent.replaceAll('http://127.0.0.1:8080', HERE);
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'small';
  button.textContent = 'Copy';
  button.onclick = async () => {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = 'Copied';
    setTimeout(() => {
      button.textContent = 'Copy';
    }, 2000);
  };
  if (navigator.clipboard) pre.after(button); // absent on plain http other than localhost
}
