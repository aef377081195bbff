"""`python -m stylegan`: the same as the `stylegan` command."""

from stylegan.cli.main import main

if __name__ == "__main__":
    main()
