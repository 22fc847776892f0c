#include "core/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <thread>

#include "core/error.h"

namespace fewshop {
namespace {

constexpr int kNiceness = 10;  // answers come first
constexpr int kNotStarted = 127;

}  // namespace

Child::Child(const std::vector<std::string>& arguments, const std::string& output, const std::string& error) {
  // Everything is made ready first: between fork and exec of a process with threads, only system calls are allowed.
  std::vector<char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  const int out = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const int err = out < 0 ? -1 : ::open(error.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const int in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t parent = ::getpid();
  if (out >= 0 && err >= 0 && in >= 0) pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(kNotStarted);
    ::setpgid(0, 0);
    ::setpriority(PRIO_PROCESS, 0, kNiceness);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::dup2(in, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    ::execv(pointers[0], pointers.data());
    ::_exit(kNotStarted);
  }
  const int reason = errno;
  for (const int file : {in, out, err})
    if (file >= 0) ::close(file);
  if (pid_ < 0) throw Failure(fmt::format("{}: cannot be started: {}", arguments.at(0), std::strerror(reason)));
}

Child::~Child() { stop(0); }

bool Child::wait(double seconds) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!ended_) {
    int status = 0;
    const pid_t pid = ::waitpid(pid_, &status, WNOHANG);
    if (pid == pid_ || (pid < 0 && errno != EINTR)) {
      ended_ = true;
      status_ = pid < 0 ? 1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      break;
    }
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

void Child::stop(double seconds) {
  if (ended_) return;
  ::kill(pid_, SIGTERM);
  if (wait(seconds)) return;
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
  wait(10);
}

std::string own_program() {
  std::error_code error;
  const std::string path = std::filesystem::read_symlink("/proc/self/exe", error).string();
  if (error) throw Failure("/proc/self/exe: cannot be read: " + error.message());
  return path;
}

}  // namespace fewshop
